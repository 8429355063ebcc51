// Forms as bytes on a real connection: whole, malformed, or broken off in the middle.
import { readdir } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { dice } from '../support/dice.ts'

/** Who sends, and where to. */
export interface Sender {
  port: number
  authorization: string
}

/** Sends bytes as they are, pieces one after the other, and gives what comes back until the other side ends; `cut` ends it first. */
export function raw({ port }: Sender, pieces: (string | Buffer)[], cut = false): Promise<string> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    let reply = ''
    socket.on('data', part => (reply += part))
    socket.on('close', () => resolve(reply))
    socket.on('error', () => {})
    const write = async () => {
      for (const piece of pieces) {
        socket.write(piece)
        await new Promise(setImmediate)
      }
      if (cut) socket.destroy()
    }
    socket.on('connect', write)
  })
}

/** The head of an upload of so many bytes. */
export const head = ({ authorization }: Sender, length: number | 'chunked', boundary = 'b') =>
  [
    'POST /documents HTTP/1.1',
    'host: rag',
    'connection: close',
    `authorization: ${authorization}`,
    `content-type: multipart/form-data; boundary=${boundary}`,
    length === 'chunked' ? 'transfer-encoding: chunked' : `content-length: ${length}`,
    '\r\n',
  ].join('\r\n')

export const part = (name: string, content: string) =>
  `--b\r\nContent-Disposition: form-data; name="file"; filename="${name}"\r\n\r\n${content}\r\n`

/** Temporary files of what has arrived. */
export const leftBehind = async (dataDir: string) => (await readdir(join(dataDir, 'tmp'))).filter(name => name.startsWith('in-'))

/** `count` forms with some of their bytes changed, a third of them cut short, one after the other; gives each with what was answered. */
export async function* malformed(sender: Sender, count: number): AsyncGenerator<{ body: Buffer; reply: string }> {
  const whole = `${part('a.txt', 'some text')}${part('b.txt', 'other text')}--b--\r\n`
  const throwOf = dice(7)
  for (let i = 0; i < count; i++) {
    const bytes = Buffer.from(whole)
    for (let hit = 0; hit <= throwOf(6); hit++) bytes[throwOf(bytes.length)] = throwOf(256)
    const body = bytes.subarray(0, throwOf(3) === 0 ? throwOf(bytes.length) : bytes.length)
    yield { body, reply: await raw(sender, [head(sender, body.length), body]) }
  }
}

/** Breaks `count` uploads off at any byte, a hundred at once; resolves when all connections are closed and no file of theirs is left. */
export async function brokenOff(sender: Sender, dataDir: string, count: number) {
  const throwOf = dice(11)
  const body = `${part('big.txt', 'x'.repeat(200_000))}--b--\r\n`
  for (let done = 0; done < count; done += 100) {
    const breaks = Array.from({ length: Math.min(100, count - done) }, (_, i) => {
      const sent = body.slice(0, throwOf(body.length))
      const half = Math.floor(sent.length / 2)
      return i % 2
        ? raw(sender, [head(sender, body.length), sent.slice(0, half), sent.slice(half)], true)
        : raw(sender, [head(sender, 'chunked'), `${sent.length.toString(16)}\r\n${sent}`], true)
    })
    await Promise.all(breaks)
    while ((await leftBehind(dataDir)).length > 0) await new Promise(setImmediate)
  }
}
