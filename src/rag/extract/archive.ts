// Archives of documents. Before any parser unpacks one, every entry is inflated once and counted, on the bytes that really come out,
// whatever the directory claims. Entries are only ever looked up by name in memory: none becomes a file, wherever its name points.
import { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import JSZip from 'jszip'
import { Refusal } from './refusal.ts'

export type ArchiveLimits = { entriesMax: number; unpackedBytesMax: number; unpackRatioMax: number }

/** The entries of an archive; `read` gives nothing for a name that is not there. */
export type Entries = { names: string[]; read: (name: string) => Promise<Buffer | undefined> }

/** Small files compress absurdly well by nature; the ratio counts only beyond this. */
const RATIO_FROM_BYTES = 10 * 1024 * 1024

/** The names an archive's directory holds; throws `encrypted` or `damaged`. Nothing is unpacked. */
export async function namesOf(bytes: Buffer): Promise<Set<string>> {
  return new Set(Object.keys((await load(bytes)).files))
}

/** Resolves to the archive's entries once it is known to stay within `limits`. Throws `too_large` with the limit named, or `damaged`. */
export async function openArchive(bytes: Buffer, limits: ArchiveLimits): Promise<Entries> {
  const archive = await load(bytes)
  const entries = Object.values(archive.files)
  if (entries.length > limits.entriesMax) {
    throw new Refusal('too_large', `The archive has ${entries.length} entries; the limit is ${limits.entriesMax}`)
  }
  let unpacked = 0
  for (const entry of entries) {
    let sum = 0
    for await (const part of new Readable().wrap(entry.nodeStream())) {
      unpacked += (part as Buffer).length
      sum = crc32(part as Buffer, sum)
      if (unpacked > limits.unpackedBytesMax) {
        throw new Refusal('too_large', `The document unpacks to more than ${limits.unpackedBytesMax} bytes, the limit`)
      }
      if (unpacked > RATIO_FROM_BYTES && unpacked > bytes.length * limits.unpackRatioMax) {
        throw new Refusal('too_large', `The document unpacks to more than ${limits.unpackRatioMax} times its size, the limit`)
      }
    }
    if (sum !== (claimedSum(entry) ?? sum)) throw new Refusal('damaged', '', `the checksum of ${entry.name} is wrong`)
  }
  return { names: Object.keys(archive.files), read: async name => archive.file(name)?.async('nodebuffer') }
}

/** The checksum the directory gives; the library compares it only if it may first unpack everything into memory. */
function claimedSum(entry: JSZip.JSZipObject): number | undefined {
  const sum = (entry as { _data?: { crc32?: number } })._data?.crc32
  return sum === undefined ? undefined : sum >>> 0
}

async function load(bytes: Buffer): Promise<JSZip> {
  return JSZip.loadAsync(bytes).catch(error => {
    throw new Refusal(/encrypted/i.test(String(error)) ? 'encrypted' : 'damaged', '', error)
  })
}
