// Archives written byte by byte (APPNOTE.TXT), so that they can say about themselves what no library would write.
import { crc32, deflateRawSync } from 'node:zlib'

/** One entry; what is not given is told truthfully. `at` shares the bytes of the entry of that index instead of having its own. */
export interface RawEntry {
  name: string
  content: Buffer | string
  /** Deflated already: `content` is what is stored. */
  packed?: boolean
  stored?: boolean
  size?: number
  crc?: number
  method?: number
  flags?: number
  /** Unix mode; 0o120777 makes a symbolic link. */
  mode?: number
  at?: number
}

/** The archive, with `directory` telling how many entries there are if that is to be a lie. */
export function rawZip(entries: RawEntry[], directory?: number): Buffer {
  const bodies: Buffer[] = []
  const records: Buffer[] = []
  const places: { offset: number; header: Buffer }[] = []
  let offset = 0
  for (const entry of entries) {
    const shared = entry.at === undefined ? undefined : places[entry.at]
    const content = Buffer.from(entry.content as string)
    const isStored = entry.stored || shared !== undefined
    const data = isStored || entry.packed ? content : deflateRawSync(content)
    const header = shared?.header.subarray() ?? Buffer.alloc(26)
    if (!shared) {
      header.writeUInt16LE(20, 0)
      header.writeUInt16LE(entry.flags ?? 0, 2)
      header.writeUInt16LE(entry.method ?? (entry.stored ? 0 : 8), 4)
      header.writeUInt32LE(entry.crc ?? crc32(content), 10)
      header.writeUInt32LE(data.length, 14)
      header.writeUInt32LE(entry.size ?? content.length, 18)
      header.writeUInt16LE(Buffer.byteLength(entry.name), 22)
    }
    const place = shared ?? { offset, header }
    places.push(place)
    if (!shared) {
      const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), header, Buffer.from(entry.name), data])
      bodies.push(local)
      offset += local.length
    }
    const record = Buffer.alloc(46)
    record.write('PK\x01\x02', 'latin1')
    record.writeUInt16LE(0x0314, 4) // made on Unix, so that the mode counts
    header.copy(record, 6)
    record.writeUInt16LE(Buffer.byteLength(entry.name), 28)
    record.writeUInt32LE(((entry.mode ?? 0o100644) << 16) >>> 0, 38)
    record.writeUInt32LE(place.offset, 42)
    records.push(record, Buffer.from(entry.name))
  }
  const central = Buffer.concat(records)
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 'latin1')
  end.writeUInt16LE((directory ?? entries.length) & 0xffff, 8)
  end.writeUInt16LE((directory ?? entries.length) & 0xffff, 10)
  end.writeUInt32LE(central.length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...bodies, central, end])
}

/** `megabytes` of zeros, deflated: a thousandth of it. */
export function zeros(megabytes: number): RawEntry {
  const content = Buffer.alloc(megabytes * 1024 * 1024)
  return { name: 'media/zeros.xml', content: deflateRawSync(content), packed: true, size: content.length, crc: crc32(content) }
}
