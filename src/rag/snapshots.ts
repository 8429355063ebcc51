// A snapshot: everything a rag needs to start from, as of one moment, in a folder of its own beside the data. No collection's file changes
// while it is made; searches and uploads go on. It holds what is erased later too, so it is the operator's to move away; the next one
// takes its place.
import { link, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { failure } from '../platform/errors.ts'
import type { Lanes } from './lanes.ts'
import type { Originals } from './store/originals.ts'
import { sync } from './store/sync.ts'
import { id as newId } from './store/tables/collections.ts'

interface Parts {
  originals: Originals
  still: Lanes['still']
  dataDir: string
  log: { error: (context: object, message: string) => void }
}

export interface SnapshotView {
  id: string
  state: 'running' | 'ready' | 'failed'
  /** Collections copied, of how many. */
  done: number
  total: number
  /** Folder below the data folder. */
  folder: string
}

export function openSnapshots({ originals, still, dataDir, log }: Parts) {
  const home = join(dataDir, 'snapshots')
  let last: SnapshotView | undefined
  let running: Promise<void> | undefined

  async function make(view: SnapshotView) {
    const unfinished = join(home, `${view.id}.new`)
    await rm(home, { recursive: true, force: true })
    await mkdir(join(unfinished, 'collections'), { recursive: true, mode: 0o700 })
    // Collections before the catalogue, files after it: what the catalogue's copy says is then there, or is done again from its intents.
    await still(async copy => {
      const ids = await originals.collections()
      view.total = ids.length
      for (const id of ids) {
        const folder = join(unfinished, 'collections', id)
        await mkdir(folder)
        if ((await readdir(originals.directory(id))).includes('passages.sqlite')) {
          await copy(join(originals.directory(id), 'passages.sqlite'), join(folder, 'passages.sqlite'))
        }
        view.done += 1
      }
      await copy(join(dataDir, 'catalogue.sqlite'), join(unfinished, 'catalogue.sqlite'))
      for (const id of ids) await linkFiles(originals.directory(id), join(unfinished, 'collections', id))
    })
    await rename(unfinished, join(home, view.id))
    await sync(home)
  }

  return {
    /** Begins one. Throws `conflict` while another is being made. */
    start(): SnapshotView {
      if (running) throw failure('conflict', 'A snapshot is being made')
      const id = newId()
      const view: SnapshotView = { id, state: 'running', done: 0, total: 0, folder: `snapshots/${id}` }
      last = view
      running = make(view)
        .then(
          () => {
            view.state = 'ready'
          },
          error => {
            view.state = 'failed'
            log.error({ err: error }, 'a snapshot failed')
          },
        )
        .finally(() => {
          running = undefined
        })
      return view
    },
    /** The one made last since the start, or being made. */
    last: () => last,
    close: () => running,
  }
}

/** Originals and texts never change: a second name is a copy. */
async function linkFiles(from: string, to: string) {
  for (const kind of ['originals', 'texts']) {
    const names = await readdir(join(from, kind)).catch(() => [])
    await mkdir(join(to, kind))
    for (const name of names) {
      await link(join(from, kind, name), join(to, kind, name)).catch(error => {
        if (error.code !== 'ENOENT') throw error // erased this moment
      })
    }
  }
}
