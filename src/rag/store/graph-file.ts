// The file of a collection's vector graph: a cache, written beside what it was made of and its checksum. It is believed only when all of
// that fits; what is not believed is removed, since it may hold vectors of what was erased. So nothing here waits for the disk either.
import { createHash } from 'node:crypto'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, readSync, renameSync, rmSync, writeFileSync } from 'node:fs'
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

/** Read and hashed at once, in some 10 ms. */
const PIECE_BYTES = 4 * 1024 * 1024

const body = (dir: string) => join(dir, 'vectors.hnsw')
const header = (dir: string) => join(dir, 'vectors.json')
const unfinished = (path: string) => `${path}.new`

/** Reads the graph in `dir` with `load`; gives nothing when it is absent, damaged or of another making. */
export function readGraph<Graph>(dir: string, making: Making, load: (path: string) => Graph) {
  try {
    const { model, dimensions, position, sha256 } = JSON.parse(readFileSync(header(dir), 'utf8')) as Header
    if (model !== making.model || dimensions !== making.dimensions) throw new Error('The graph is of another making')
    if (sha256 !== whole(digest(body(dir)))) throw new Error('The graph is damaged')
    return { graph: load(body(dir)), position }
  } catch {
    removeGraph(dir)
    return undefined
  }
}

/**
 * Replaces the graph in `dir` by what `save` writes, a little at a time; whoever takes the next step meanwhile changes nothing of what was
 * written. Killed anywhere, it leaves the old graph, none, or the new one.
 */
export function* writeGraph(dir: string, making: Making, position: number, save: (path: string) => void): Generator<void, void> {
  // The collection's own folder is never made here: it may have been erased.
  if (basename(dir) === BESIDE && !existsSync(dir)) mkdirSync(dir)
  rmSync(header(dir), { force: true })
  save(unfinished(body(dir)))
  renameSync(unfinished(body(dir)), body(dir))
  yield
  const told: Header = { ...making, position, sha256: yield* digest(body(dir)) }
  writeFileSync(unfinished(header(dir)), JSON.stringify(told))
  renameSync(unfinished(header(dir)), header(dir))
}

/** Removes the graphs in `dir`, that of a second model and half-written ones too. */
export function removeGraph(dir: string) {
  rmSync(join(dir, BESIDE), { recursive: true, force: true })
  for (const path of [header(dir), body(dir)]) {
    rmSync(path, { force: true })
    rmSync(unfinished(path), { force: true })
  }
}

/** The checksum of a file of any size, a piece at a time. The file may go meanwhile. */
function* digest(path: string): Generator<void, string> {
  const hash = createHash('sha256')
  const piece = Buffer.allocUnsafe(PIECE_BYTES)
  for (let at = 0, read = -1; read !== 0; at += read) {
    const file = openSync(path, 'r')
    read = readSync(file, piece, 0, PIECE_BYTES, at)
    closeSync(file)
    hash.update(piece.subarray(0, read))
    yield
  }
  return hash.digest('hex')
}

/** What `steps` come to, all of them at once. */
function whole<Result>(steps: Generator<void, Result>): Result {
  for (;;) {
    const { done, value } = steps.next()
    if (done) return value
  }
}
