// The guard before any parser unpacks an archive: every entry is inflated once and counted, on the bytes that really come out, whatever
// the directory claims. It reads the archive with the library the parsers use, so that both see the same entries.
import { Readable } from 'node:stream'
import JSZip from 'jszip'
import { Refusal } from './refusal.ts'

export type ArchiveLimits = { entriesMax: number; unpackedBytesMax: number; unpackRatioMax: number }

/** Small files compress absurdly well by nature; the ratio counts only beyond this. */
const RATIO_FROM_BYTES = 10 * 1024 * 1024

/** Resolves to the opened archive once it is known to stay within `limits`. Throws `too_large` with the limit named, or `damaged`. */
export async function openArchive(bytes: Buffer, limits: ArchiveLimits): Promise<JSZip> {
  const archive = await JSZip.loadAsync(bytes).catch(error => {
    throw new Refusal('damaged', '', error)
  })
  const entries = Object.values(archive.files)
  if (entries.length > limits.entriesMax) {
    throw new Refusal('too_large', `The archive has ${entries.length} entries; the limit is ${limits.entriesMax}`)
  }
  let unpacked = 0
  for (const entry of entries) {
    for await (const part of new Readable().wrap(entry.nodeStream())) {
      unpacked += (part as Buffer).length
      if (unpacked > limits.unpackedBytesMax) {
        throw new Refusal('too_large', `The document unpacks to more than ${limits.unpackedBytesMax} bytes, the limit`)
      }
      if (unpacked > RATIO_FROM_BYTES && unpacked > bytes.length * limits.unpackRatioMax) {
        throw new Refusal('too_large', `The document unpacks to more than ${limits.unpackRatioMax} times its size, the limit`)
      }
    }
  }
  return archive
}
