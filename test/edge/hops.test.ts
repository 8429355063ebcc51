// Whose address counts: the peer's, or, when proxies of ours stand in front, the one they name; IPv6 neighbours count as one.
import t from 'tap'
import { startEdge } from './edge.ts'
import { isFailure } from './refusals.ts'

/** With so many proxies of ours in front: what a request carries, and whose it is. */
const cases: [hops: number, rows: [sent: string | string[], address: string][]][] = [
  [0, [['203.0.113.1, 203.0.113.2', '127.0.0.1']]],
  [
    1,
    [
      ['203.0.113.1, 203.0.113.2', '203.0.113.2'],
      [['203.0.113.1', '203.0.113.2'], '203.0.113.2'],
      ['203.0.113.1, nonsense', '127.0.0.1'],
      ['2001:db8::7', '2001:db8::7'],
    ],
  ],
  [
    2,
    [
      ['203.0.113.1, 203.0.113.2, 203.0.113.3', '203.0.113.2'],
      ['203.0.113.3', '127.0.0.1'],
    ],
  ],
]

for (const [hops, rows] of cases) {
  t.test(`behind ${hops} proxies of ours the client is the one that many places from the end, and nobody else`, async t => {
    const edge = await startEdge(t, { values: { TRUSTED_HOPS: hops } })
    for (const [sent, address] of rows) {
      await edge.ask('/auth/login', { headers: { 'x-forwarded-for': sent, hops: '6.6.6.6' } })
      const told = edge.heard()[0]?.headers.filter(([name]) => name === 'x-forwarded-for' || name === 'hops')
      t.strictSame(told, [['x-forwarded-for', address]], String(sent))
    }
    await edge.ask('/auth/login', { headers: { hops: '6.6.6.6' } })
    t.strictSame(
      edge.heard()[0]?.headers.filter(([, value]) => value.includes('6.6.6.6')),
      [],
    )
    if (hops !== 1) return

    const flood = (address: (i: number) => string) =>
      Promise.all(
        Array.from({ length: 1_200 }, (_, i) => edge.ask('/auth/login', { headers: { 'x-forwarded-for': address(i) } })),
      )
    const refused = (await flood(i => `2001:db8:1:2::${i.toString(16)}`)).find(({ status }) => status !== 200)
    t.ok(refused, 'the guard counts a /64 as one')
    if (refused) isFailure(t, refused, 'rate_limited')
    t.equal((await edge.ask('/auth/login', { headers: { 'x-forwarded-for': '2001:db8:1:3::1' } })).status, 200, 'the next /64')
    t.ok(
      (await flood(i => `2001:db8:${i.toString(16)}::1`)).every(({ status }) => status === 200),
      'each /64 has a bucket of its own',
    )
  })
}
