// The way from auth to Redis, broken off after so many messages: what a Redis or an auth that dies in the middle of something leaves.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

interface Teardown {
  teardown(action: () => unknown): void
}

/** A way to the Redis at `port` of loopback. A message is what auth sends in one turn. */
export async function wayTo(t: Teardown, port: number) {
  let left = Number.POSITIVE_INFINITY
  const open = new Set<Socket>()
  const server = createServer(near => {
    const far = connect(port, '127.0.0.1')
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(one)
      one
        .on('error', () => {})
        .once('close', () => {
          open.delete(one)
          other.destroy()
        })
    }
    near.on('data', message => {
      left -= 1
      if (left >= 0) far.write(message)
      else near.destroy()
    })
    far.pipe(near)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const one of open) one.destroy()
  })
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    breakAfter(messages: number) {
      left = messages
    },
    mend() {
      left = Number.POSITIVE_INFINITY
    },
  }
}
