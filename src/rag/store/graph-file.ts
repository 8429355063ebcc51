// The file of a collection's vector graph: a cache, written beside what it was made of and its checksum. It is believed only when all of
// that fits; what is not believed is removed, since it may hold vectors of what was erased.
import { createHash } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'

interface Making {
  /** Fingerprint of the model the vectors are from. */
  model: string
  dimensions: number
}
interface Header extends Making {
  /** Position of the collection's file the graph is in step with. */
  position: number
  sha256: string
}

/** Folder within a collection's for the graph of its second model. */
export const BESIDE = 'beside'

const body = (dir: string) => join(dir, 'vectors.hnsw')
const header = (dir: string) => join(dir, 'vectors.json')
const unfinished = (path: string) => `${path}.new`

/** Reads the graph in `dir` with `load`; gives nothing when it is absent, damaged or of another making. */
export function readGraph<Graph>(dir: string, making: Making, load: (path: string) => Graph) {
  try {
    const { model, dimensions, position, sha256 } = JSON.parse(readFileSync(header(dir), 'utf8')) as Header
    if (model !== making.model || dimensions !== making.dimensions) throw new Error('The graph is of another making')
    if (sha256 !== digest(body(dir))) throw new Error('The graph is damaged')
    return { graph: load(body(dir)), position }
  } catch {
    removeGraph(dir)
    return undefined
  }
}

/** Replaces the graph in `dir` by what `save` writes. Killed anywhere, it leaves the old graph, none, or the new one. */
export function writeGraph(dir: string, making: Making, position: number, save: (path: string) => void) {
  // The collection's own folder is never made here: it may have been erased.
  if (basename(dir) === BESIDE && !existsSync(dir)) mkdirSync(dir)
  rmSync(header(dir), { force: true })
  save(unfinished(body(dir)))
  finish(body(dir))
  const told: Header = { ...making, position, sha256: digest(body(dir)) }
  writeFileSync(unfinished(header(dir)), JSON.stringify(told))
  finish(header(dir))
}

/** Removes the graphs in `dir`, that of a second model and half-written ones too. */
export function removeGraph(dir: string) {
  rmSync(join(dir, BESIDE), { recursive: true, force: true })
  for (const path of [header(dir), body(dir)]) {
    rmSync(path, { force: true })
    rmSync(unfinished(path), { force: true })
  }
}

const digest = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex')

/** Gives a file its name once its bytes are on disk. */
function finish(path: string) {
  const file = openSync(unfinished(path), 'r')
  fsyncSync(file)
  closeSync(file)
  renameSync(unfinished(path), path)
}
