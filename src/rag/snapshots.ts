// A snapshot: everything a rag needs to start from, as of one moment, in a folder of its own beside the data. No collection's file changes
// while it is made; searches and uploads go on. It holds what is erased later too, so it is the operator's to move away; the next one
// takes its place once it is whole.
import { link, mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { failure } from '../platform/errors.ts'
import type { Lanes } from './lanes.ts'
import { namesIn } from './store/names.ts'
import type { Originals } from './store/originals.ts'
import { sync } from './store/sync.ts'
import { id as newId } from './store/tables/collections.ts'

const PASSAGES = 'passages.sqlite'
/** Ends the name of one that is being made. */
const UNFINISHED = '.new'

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
    const unfinished = join(home, `${view.id}${UNFINISHED}`)
    await clear(name => name.endsWith(UNFINISHED))
    try {
      await mkdir(join(unfinished, 'collections'), { recursive: true, mode: 0o700 })
      await fill(view, unfinished)
      await rename(unfinished, join(home, view.id))
    } catch (error) {
      await rm(unfinished, { recursive: true, force: true })
      throw error
    }
    await sync(home)
    await clear(name => name !== view.id)
  }

  /** Removes what lies in the folder of snapshots under such a name. */
  async function clear(is: (name: string) => boolean) {
    for (const name of await namesIn(home)) if (is(name)) await rm(join(home, name), { recursive: true, force: true })
  }

  // Collections before the catalogue: what its copy says is then there, or is done again from its intents. Files before and after it: some go
  // and some come meanwhile.
  const fill = (view: SnapshotView, to: string) =>
    still(async copy => {
      const ids = await originals.collections()
      view.total = ids.length
      for (const id of ids) {
        const folder = join(to, 'collections', id)
        await originals.requireRoom()
        await mkdir(folder)
        await copyPassages(copy, originals.directory(id), folder)
        await linkFiles(originals.directory(id), folder)
        view.done += 1
      }
      await copy(join(dataDir, 'catalogue.sqlite'), join(to, 'catalogue.sqlite'))
      // Also of those that the copied catalogue knows and that were not there at the beginning.
      for (const id of await originals.collections()) await linkFiles(originals.directory(id), join(to, 'collections', id))
    })

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

type Copy = (from: string, to: string) => Promise<void>

/** Copies a collection's file, unless there is none or the collection is erased this moment. */
async function copyPassages(copy: Copy, from: string, to: string) {
  const isThere = async () => (await namesIn(from)).includes(PASSAGES)
  if (!(await isThere())) return
  await copy(join(from, PASSAGES), join(to, PASSAGES)).catch(async error => {
    if (await isThere()) throw error
  })
}

/** Originals and texts never change: a second name is a copy. */
async function linkFiles(from: string, to: string) {
  for (const kind of ['originals', 'texts']) {
    const names = await namesIn(join(from, kind))
    await mkdir(join(to, kind), { recursive: true })
    for (const name of names) {
      await link(join(from, kind, name), join(to, kind, name)).catch(error => {
        if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error // erased this moment, or linked before
      })
    }
  }
}
