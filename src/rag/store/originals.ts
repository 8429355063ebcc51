// Files of a data folder: originals named by the SHA-256 of their bytes, texts named by their version. A file appears under its name
// whole and on disk or not at all: temporary name, fsync, rename, fsync of the folder. Who still needs a file is the catalogue's word.
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, open, rename, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { failure } from '../../platform/errors.ts'
import type { Place } from '../chunk.ts'
import { namesIn } from './names.ts'
import { sync } from './sync.ts'

/** A file that has arrived whole and is on disk, still under a temporary name. */
export interface Spooled {
  path: string
  /** Hexadecimal. */
  sha256: string
  bytes: number
}

export type Originals = Awaited<ReturnType<typeof openOriginals>>

/** Of a text this many UTF-16 units are handled at once, in a millisecond or two. */
const PIECE_LENGTH = 512 * 1024

/** Of a file that arrives, bytes between two looks at how much room there is. */
const LOOK_BYTES = 8 * 1024 * 1024

const NO_ROOM = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/** Opens the files of `dataDir`; what earlier processes left half-written goes. `freeBytesMin` is left to the rest of the machine. */
export async function openOriginals(dataDir: string, freeBytesMin: number) {
  const temporary = join(dataDir, 'tmp')
  await rm(temporary, { recursive: true, force: true })
  await mkdir(temporary, { recursive: true, mode: 0o700 })
  let spooled = 0

  const directory = (collection: string) => join(dataDir, 'collections', collection)
  const texts = (collection: string) => join(directory(collection), 'texts')

  /** Throws `storage_full` when the disk has no more room than is left to the rest of the machine. */
  async function requireRoom() {
    if ((await freeBytes()) < freeBytesMin) throw failure('storage_full')
  }

  async function freeBytes() {
    const { bavail, bsize } = await statfs(dataDir)
    return bavail * bsize
  }

  const self = {
    directory,
    freeBytes,
    requireRoom,
    texts,
    original: (collection: string, sha256: string) => join(directory(collection), 'originals', sha256),
    text: (collection: string, version: string) => join(texts(collection), version),

    /** A folder of its own for work under way; gone at the next start at the latest. */
    workspace: () => mkdtemp(join(temporary, 'work-')),

    /**
     * Writes a stream to a temporary file while hashing it. Always reads the stream to its end, so that what follows it can be read.
     * Throws `too_large` beyond `bytesMax` and `storage_full` when the disk has no room; then nothing stays behind.
     */
    async spool(source: AsyncIterable<Uint8Array>, bytesMax: number): Promise<Spooled> {
      const path = join(temporary, `in-${spooled++}`)
      const hash = createHash('sha256')
      let bytes = 0
      let looked = 0
      let trouble: unknown
      const stop = (error: unknown) => {
        trouble ??= error
      }
      await requireRoom().catch(stop)
      const file = await open(path, 'wx', 0o600)
      try {
        for await (const piece of source) {
          bytes += piece.length
          if (bytes > bytesMax) trouble ??= failure('too_large', `The file is larger than ${bytesMax} bytes`)
          if (trouble) continue
          hash.update(piece)
          await file.writeFile(piece).catch(stop)
          if (bytes - looked < LOOK_BYTES) continue
          looked = bytes
          await requireRoom().catch(stop)
        }
        if (!trouble) await file.sync()
      } catch (error) {
        stop(error)
      } finally {
        await file.close()
      }
      if (!trouble) return { path, sha256: hash.digest('hex'), bytes }
      await rm(path, { force: true })
      throw full(trouble)
    },

    discard: (file: Spooled) => rm(file.path, { force: true }),

    /** Gives spooled files their names in a collection; when this returns they survive a power cut. */
    async keep(collection: string, files: readonly Spooled[]) {
      const folder = join(directory(collection), 'originals')
      await makeFolder(folder)
      for (const { path, sha256 } of files) await rename(path, join(folder, sha256))
      await sync(folder)
    },

    /** Keeps a text under the SHA-256 of its bytes, which it gives. Of a long one each piece lets others go first. */
    async writeText(collection: string, text: string): Promise<string> {
      const folder = join(directory(collection), 'texts')
      await makeFolder(folder)
      const path = join(temporary, `text-${spooled++}`)
      const hash = createHash('sha256')
      const file = await open(path, 'wx', 0o600)
      try {
        for (const piece of piecesOf(text)) {
          hash.update(piece)
          await file.writeFile(piece)
        }
        await file.sync()
      } catch (error) {
        await rm(path, { force: true })
        throw full(error)
      } finally {
        await file.close()
      }
      const version = hash.digest('hex')
      await rename(path, join(folder, version))
      await sync(folder)
      return version
    },

    /** What stands at these places of a text, which lie close together. */
    async readText(collection: string, version: string, places: readonly Place[]): Promise<string[]> {
      const start = Math.min(...places.map(({ start_byte }) => start_byte))
      const bytes = Buffer.alloc(Math.max(...places.map(({ end_byte }) => end_byte)) - start)
      const file = await open(self.text(collection, version))
      try {
        const { bytesRead } = await file.read(bytes, 0, bytes.length, start)
        if (bytesRead < bytes.length) throw new Error(`The text ${version} is shorter than it was when it was cut`)
      } finally {
        await file.close()
      }
      return places.map(({ start_byte, end_byte }) => bytes.toString('utf8', start_byte - start, end_byte - start))
    },

    /** Removes files that nothing needs any more; returns how many there were. */
    async remove(collection: string, kind: 'originals' | 'texts', names: readonly string[]): Promise<number> {
      let gone = 0
      for (const name of names) {
        gone += await rm(join(directory(collection), kind, name)).then(
          () => 1,
          (error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? 0 : Promise.reject(error)),
        )
      }
      if (gone > 0) await sync(join(directory(collection), kind))
      return gone
    },

    /** Removes every file of `kind` that is not in `needed`. */
    async sweep(collection: string, kind: 'originals' | 'texts', needed: ReadonlySet<string>): Promise<number> {
      const names = await namesIn(join(directory(collection), kind))
      return self.remove(
        collection,
        kind,
        names.filter(name => !needed.has(name)),
      )
    },

    /** Removes the folder of a collection and everything in it. */
    async removeCollection(collection: string) {
      await rm(directory(collection), { recursive: true, force: true })
      await makeFolder(join(dataDir, 'collections'))
      await sync(join(dataDir, 'collections'))
    },

    /** Ids of the collections that have a folder. */
    collections: () => namesIn(join(dataDir, 'collections')),
  }
  return self
}

/** The bytes of a text, a piece of it at a time; no character is cut in two. */
function* piecesOf(text: string): Generator<Buffer> {
  for (let at = 0, end = 0; at < text.length; at = end) {
    end = at + PIECE_LENGTH
    if (text.charCodeAt(end - 1) >> 10 === 0x36) end++ // the first half of a pair
    yield Buffer.from(text.slice(at, end))
  }
}

function full(error: unknown) {
  return NO_ROOM.has((error as NodeJS.ErrnoException).code ?? '') ? failure('storage_full', undefined, { cause: error }) : error
}

/** Makes a folder so that it survives a power cut: each new one is noted in its parent. */
async function makeFolder(path: string) {
  const made = await mkdir(path, { recursive: true, mode: 0o700 })
  if (made === undefined) return
  for (let at = path; at.length >= made.length; at = join(at, '..')) await sync(join(at, '..'))
}
