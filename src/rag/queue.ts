// The queue of jobs: which runs next, how often it is tried, how it is stopped. The catalogue is the truth; what is in memory here is
// read from it at the start. A bad file never stops the queue, a user never holds it: users are served in a circle.
import { EventEmitter } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import type { FailureCode } from '../contracts/failure.ts'
import { Failure, failure } from '../platform/errors.ts'
import { openLine } from './line.ts'
import { aMoment } from './moment.ts'
import type { Catalogue } from './store/catalogue.ts'
import type { JobRow } from './store/tables/jobs.ts'
import type { Queued } from './uploads.ts'

/** Jobs under way at once, and of one user: enough that extraction, embedding and writing overlap. */
const RUNNING_MAX = 16
const RUNNING_OF_USER_MAX = 8
/** Tries after an unexpected error, and starts that ended with the process dying, before a job is given up. */
const TRIES_MAX = 3
const STARTS_MAX = 10
/** Pause before the next try, growing, in milliseconds. */
const PAUSE_MS = 100
const PAUSE_MS_MAX = 60_000
/** Longest a job may take, in milliseconds. */
const JOB_MS_MAX = 6 * 3600 * 1000

/** Where a job stands. `total` is null while it is not known. */
export type Progress = Pick<JobRow, 'state' | 'done' | 'total' | 'failure'>

/** Why a job is left as it is. */
const stopped = new Error('Stopped')

export type Ingest = (job: JobRow, signal: AbortSignal, report: (progress: Progress) => void) => Promise<void>
export type Queue = ReturnType<typeof openQueue>

interface Running {
  job: Queued
  progress: Progress
  /** Gives the job up: cancelled by its user, or late. */
  cancel: AbortController
  /** Leaves the job as it is: the process stops, or the document is being erased. */
  leave: AbortController
  ended: Promise<void>
}

interface Parts {
  catalogue: Catalogue
  ingest: Ingest
  /** Tidies what a job that was given up left behind. */
  tidy: (job: JobRow) => Promise<void>
  /** Removes what a document whose job has ended needs no longer. */
  release: (document: string) => Promise<void>
  waitingMax: number
  /** Told of every job that is given up. */
  failed?: (code: FailureCode) => void
  log: { error: (context: object, message: string) => void; info: (context: object, message: string) => void }
}

export function openQueue({
  catalogue: { jobs, documents, transaction, later },
  ingest,
  tidy,
  release,
  waitingMax,
  failed,
  log,
}: Parts) {
  const waiting = openLine(waitingMax)
  const running = new Map<string, Running>()
  const events = new EventEmitter().setMaxListeners(0)
  let open = false

  /** Takes the next job of the next user in the circle whose document no other job is working on. */
  function take(): Queued | undefined {
    const users = [...running.values()].map(({ job }) => job.user_id)
    const busy = new Set([...running.values()].map(({ job }) => job.document_id))
    return waiting.take(
      user => users.filter(one => one === user).length < RUNNING_OF_USER_MAX,
      job => !busy.has(job.document_id),
    )
  }

  function fill() {
    while (open && running.size < RUNNING_MAX) {
      const job = take()
      if (!job) return
      const one: Running = {
        job,
        progress: { state: 'queued', done: 0, total: null, failure: null },
        cancel: new AbortController(),
        leave: new AbortController(),
        ended: Promise.resolve(),
      }
      running.set(job.id, one)
      const late = setTimeout(() => one.cancel.abort(failure('deadline')), JOB_MS_MAX).unref()
      one.ended = work(one)
        .catch(error => log.error({ err: error, job_id: job.id }, 'a job could not be ended'))
        .finally(() => {
          clearTimeout(late)
          running.delete(job.id)
          fill()
        })
    }
  }

  function note(one: Running, progress: Progress) {
    const changed = progress.state !== one.progress.state
    one.progress = progress
    // The pipeline itself writes `ready`, in the transaction that shows the document; a step on the way is nothing to wait for the disk for.
    if (changed && progress.state === 'embedding')
      later(() => save(one.job, progress)).catch(error =>
        log.error({ err: error, job_id: one.job.id }, 'a step could not be noted'),
      )
    events.emit(one.job.id, progress)
  }

  function save({ id, document_id }: Queued, progress: Progress) {
    jobs.advance({ id, ...progress })
    documents.follow({ id: document_id, job_id: id, state: progress.state, failure: progress.failure })
  }

  async function work(one: Running) {
    for (let tries = 1; ; tries++) {
      const job = await begin(one)
      if (!job) return
      // What is about to be shown, or is shown already, is never given up: neither cancelled nor late nor tried too often.
      const signal = job.publishing ? one.leave.signal : AbortSignal.any([one.leave.signal, one.cancel.signal])
      try {
        if (job.attempts > STARTS_MAX && !job.publishing) throw failure('internal')
        return await ingest(job, signal, progress => note(one, progress))
      } catch (error) {
        if (one.leave.signal.aborted) return void jobs.forgive(one.job.id)
        const final = jobs.byId(one.job.id)?.publishing ? undefined : verdict(error, signal, tries)
        if (final) return await giveUp(one, final)
        log.error({ err: error, job_id: one.job.id, tries }, 'a job will be tried again')
        await rest(tries, signal)
      }
    }
  }

  const rest = (tries: number, signal: AbortSignal) =>
    pause(Math.min(PAUSE_MS * 2 ** tries, PAUSE_MS_MAX), undefined, { signal }).catch(() => {})

  /** Does `work` durably: while the disk takes nothing, again and again. False when the job is left as it is meanwhile. */
  async function durably(one: Running, work: () => void): Promise<boolean> {
    for (let tries = 1; !one.leave.signal.aborted; tries++) {
      try {
        await later(work)
        return true
      } catch (error) {
        log.error({ err: error, job_id: one.job.id, tries }, 'a step of a job will be noted again')
        await rest(tries, one.leave.signal)
      }
    }
    return false
  }

  async function begin(one: Running): Promise<JobRow | undefined> {
    const { id, document_id } = one.job
    one.progress = { state: 'extracting', done: 0, total: null, failure: null }
    const isNoted = await durably(one, () => {
      jobs.start(id)
      documents.follow({ id: document_id, job_id: id, state: 'extracting', failure: null })
    })
    if (!isNoted) return undefined
    events.emit(id, one.progress)
    return jobs.byId(id)
  }

  async function giveUp(one: Running, final: Failure) {
    const { cause } = final.extras
    const told = { job_id: one.job.id, code: final.code, ...(cause instanceof Error ? { err: cause } : { cause }) }
    log[final.statusCode >= 500 ? 'error' : 'info'](told, 'a job was given up')
    failed?.(final.code)
    const job = jobs.byId(one.job.id)
    if (job) await tidy(job).catch(error => log.error({ err: error, job_id: job.id }, 'what a job left could not be tidied'))
    const progress: Progress = { ...one.progress, state: 'failed', failure: written(final) }
    if (!(await durably(one, () => save(one.job, progress)))) return
    await letGo(one.job)
    note(one, progress)
  }

  /** What fails here is tried again when the next job of the document ends, and at the next start. */
  const letGo = ({ id, document_id }: Queued) =>
    release(document_id).catch(error => log.error({ err: error, job_id: id }, 'what a document needs no longer stays for now'))

  return {
    /** Jobs that have not ended. */
    size: () => waiting.size() + running.size,

    /** Throws `unavailable` when `count` more jobs of `user` find no room. */
    room: waiting.room,

    /** Takes jobs that are on disk; those offered before it is open or after it is closed it finds there. */
    offer(offered: readonly Queued[]) {
      if (!open) return
      for (const job of offered) waiting.push(job)
      fill()
    },

    /** Where a job stands just now, if it is under way. */
    progress: (id: string) => running.get(id)?.progress,

    /** Calls `listener` at every step of a job until the returned function is called. */
    watch(id: string, listener: (progress: Progress) => void): () => void {
      events.on(id, listener)
      return () => void events.off(id, listener)
    },

    /** Gives a job up on its user's wish; false when it had ended or can only be finished. What it takes longer to stop for goes on by itself. */
    async cancel(job: Queued): Promise<boolean> {
      const { id } = job
      const one = running.get(id)
      if (one) {
        if (jobs.byId(id)?.publishing) return false
        one.cancel.abort(failure('cancelled'))
        await aMoment(one.ended)
        return jobs.byId(id)?.state !== 'ready'
      }
      if (!waiting.holds(job)) return false
      const progress: Progress = { state: 'failed', done: 0, total: null, failure: written(failure('cancelled')) }
      transaction(() => save(job, progress))
      waiting.remove(other => other.id === id)
      await letGo(job)
      events.emit(id, progress)
      return true
    },

    /** Drops a document's waiting jobs and stops the one under way; when this resolves nothing works on the document. */
    async stop(document: string) {
      waiting.remove(job => job.document_id === document)
      const under = [...running.values()].filter(({ job }) => job.document_id === document)
      for (const { leave } of under) leave.abort(stopped)
      await Promise.all(under.map(({ ended }) => ended))
    },

    /** Takes up everything the catalogue says is unfinished. */
    resume() {
      open = true
      for (const job of jobs.unfinished()) waiting.push(job)
      fill()
    },

    /** Stops what is under way so that the next start takes it up. */
    async close() {
      open = false
      for (const { leave } of running.values()) leave.abort(stopped)
      await Promise.all([...running.values()].map(({ ended }) => ended))
    },
  }
}

/** Why a job is given up now, or nothing when it is to be tried again. */
function verdict(error: unknown, signal: AbortSignal, tries: number): Failure | undefined {
  if (signal.aborted) return signal.reason
  if (error instanceof Failure && error.statusCode < 500) return error
  if (tries < TRIES_MAX && !(error instanceof Failure && error.code === 'internal')) return undefined
  return error instanceof Failure ? error : failure('internal', undefined, { cause: error })
}

const written = ({ code, message }: Failure): string => JSON.stringify({ code, message })
