// Which events a page of the audit log holds: by time, and from a cursor on.
import { appendFileSync, readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openSegments } from '../../src/auth/segments.ts'
import { folder } from '../support/folder.ts'
import { house } from './house.ts'

const EVENT = JSON.stringify({ action: 'x', outcome: 'allowed', user_id: null, address: null, request_id: null, service: 'rag' })
const NOON_MS = Date.UTC(2100, 0, 1, 12)

t.test('since and until are moments, to the millisecond, however they are written', async t => {
  const { app, admin } = await house(t)
  for (const ms of [0, 500, 999, 1000]) await app.redis.xadd('audit:{audit}:events', `${NOON_MS + ms}-0`, 'event', EVENT)
  const page = async (query: Record<string, string>) => {
    const { status, body } = await admin.ask('GET', `/audit?${new URLSearchParams({ action: 'x', ...query })}`)
    t.equal(status, 200)
    return body.events.map(({ time }: { time: string }) => Date.parse(time) - NOON_MS).toReversed()
  }
  const since: [string, number[]][] = [
    ['2100-01-01T12:00:00Z', [0, 500, 999, 1000]],
    ['2100-01-01T12:00:00.5Z', [500, 999, 1000]],
    ['2100-01-01t12:00:00.500z', [500, 999, 1000]],
    ['2100-01-01T14:00:00.999+02:00', [999, 1000]],
    ['2100-01-01T02:30:01-09:30', [1000]],
    ['2100-01-01T12:00:00.999Z[Etc/UTC]', [999, 1000]],
    ['2099-12-31T23:59:60Z', [0, 500, 999, 1000]],
  ]
  for (const [time, events] of since) t.same(await page({ since: time }), events, `since ${time}`)
  const until: [string, number[]][] = [
    ['2100-01-01T12:00:00Z', [0]],
    ['2100-01-01T12:00:00.9999Z', [0, 500, 999]],
    ['2100-01-01t14:00:00.5+02:00', [0, 500]],
    ['2099-12-31T23:59:60Z', []],
  ]
  for (const [time, events] of until) t.same(await page({ until: time }), events, `until ${time}`)
  t.same(await page({ since: '2100-01-01T12:00:00.5Z', until: '2100-01-01T13:00:00.999+01:00' }), [500, 999])
})

t.test('every cursor of the right shape gives a page, be it the first of all', async t => {
  const { admin } = await house(t)
  for (const cursor of ['0-0', '000-00', '0-1', '1-0', '999999999999999-9999999999'])
    t.match(await admin.ask('GET', `/audit?cursor=${cursor}`), { status: 200, body: { next_cursor: null } }, cursor)
  t.same((await admin.ask('GET', '/audit?cursor=0-0')).body.events, [])
})

t.test('a segment that holds nothing before the cursor is not read', async t => {
  const dir = folder(t)
  const segments = openSegments(dir)
  await segments.recover()
  const long = 'x'.repeat(5 * 1024 * 1024)
  let head = { seq: 0, hash: '', id: '0-0' }
  for (const ms of [10, 20, 30]) {
    const next = segments.chain(head, [
      { id: `${ms}-0`, text: EVENT },
      { id: `${ms + 1}-0`, text: long },
    ])
    await segments.append(next.lines, { ...next.head, from: head.seq, kid: '', time: 0, signature: '' })
    head = next.head
  }
  appendFileSync(join(dir, '00000003.jsonl'), 'what cannot be read\n')
  const before = async (cursor: string) => (await Array.fromAsync(segments.backwards(cursor))).map(({ id }) => id)
  t.same(await before('30-0'), ['21-0', '20-0', '11-0', '10-0'])
  t.same(await before('21-0'), ['20-0', '11-0', '10-0'])
  t.same(await before('10-0'), [])
  await t.rejects(before('30-1'), 'but one that does is')
  if (process.platform !== 'linux') return
  const open = readdirSync('/proc/self/fd').filter(fd => linkOf(`/proc/self/fd/${fd}`).startsWith(dir))
  t.same(open, [], 'and is closed')
})

/** It may be closed this moment. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}
