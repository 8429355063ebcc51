// What signing in costs: logins at the shipped argon2 cost beside the bare hash, refreshes, and what a flood of logins does to search.
import { parseArgs } from 'node:util'
import { openPasswords } from '../src/auth/passwords.ts'
import { good, onStack, percentile, progress, searchesElsewhere, send, unlimited, type Visitor, visitor } from './bench-stack.ts'
import { report, rowOf } from './report.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    logins: { type: 'string', default: '100' },
    searches: { type: 'string', default: '300' },
  },
})
const rounds = Number(values.rounds)
const logins = Number(values.logins)
const searches = Number(values.searches)
/** Logins and refreshes under way at once. */
const AT_ONCE = 8
/** A refresh takes so much less than a login that as many would be over in a moment. */
const REFRESHES_PER_LOGIN = 10
/** Searches before those that count. */
const WARMING = 50

const runs = {
  hashes: [] as number[],
  logins: [] as number[],
  loginShare: [] as number[],
  refreshes: [] as number[],
  quiet: [] as number[],
  flooded: [] as number[],
  floodedShare: [] as number[],
}
await onStack(unlimited, async stack => {
  const flooder = await visitor(stack.url, 'flood')
  const reader = await visitor(stack.url, 'reader')
  await reader.add('tides.txt', 'High water stands at six in the morning. The harbour master writes it into the book.')
  const login = async () => good(await flooder.signIn())
  for (let round = 1; round <= rounds; round++) {
    const bare = await bareHashes(logins)
    const through = await perSecond(logins, login)
    runs.hashes.push(bare)
    runs.logins.push(through)
    runs.loginShare.push(through / bare)
    runs.refreshes.push(await refreshes(stack.url, reader))
    const quiet = await searchP99(reader)
    const flooded = await during(login, () => searchP99(reader))
    runs.quiet.push(quiet)
    runs.flooded.push(flooded)
    runs.floodedShare.push(flooded / quiet)
    progress(
      `round ${round}/${rounds}: ${through.toFixed(0)} logins/s of ${bare.toFixed(0)} hashes/s, search p99 ${quiet.toFixed(0)} → ${flooded.toFixed(0)} ms`,
    )
  }
})
report({
  name: 'login',
  claim: 'A login costs its argon2id hash and little more, a refresh costs no hash, and a flood of logins leaves search usable.',
  setting: { rounds, logins, refreshes: logins * REFRESHES_PER_LOGIN, searches, atOnce: AT_ONCE },
  rows: [
    rowOf('bare argon2id verifications', 'per s', runs.hashes),
    rowOf('logins through the edge', 'per s', runs.logins),
    rowOf('logins beside the bare hash', 'of bare', runs.loginShare, { better: 'higher', wanted: 0.7 }),
    rowOf('refreshes through the edge', 'per s', runs.refreshes),
    rowOf('search p99, quiet', 'ms', runs.quiet),
    rowOf('search p99, in a flood of logins', 'ms', runs.flooded),
    rowOf('search p99, flooded beside quiet', 'times quiet', runs.floodedShare, { better: 'lower', wanted: 2 }),
  ],
  notClaimed: 'that a flood of logins is free: the limits are off here, and in service they stop it at 10 a minute and address.',
})

async function bareHashes(count: number): Promise<number> {
  const passwords = await openPasswords()
  const password = crypto.randomUUID()
  const stored = await passwords.hash(password)
  return perSecond(count, () => passwords.matches(password, stored))
}

/** Each of several sessions renews itself one time after the other. */
async function refreshes(url: string, first: Visitor): Promise<number> {
  const sessions = [
    first,
    ...(await Promise.all(Array.from({ length: AT_ONCE - 1 }, () => visitor(url, `r${crypto.randomUUID().slice(0, 12)}`)))),
  ]
  const tokens = sessions.map(({ refresh_token }) => refresh_token)
  const each = Math.ceil((logins * REFRESHES_PER_LOGIN) / AT_ONCE)
  const began = performance.now()
  await Promise.all(
    tokens.map(async (token, i) => {
      let next = token
      for (let turn = 0; turn < each; turn++) {
        const { text } = good(await send(`${url}/auth/refresh`, 'POST', { refresh_token: next }))
        next = JSON.parse(text).refresh_token
      }
      ;(sessions[i] as Visitor).refresh_token = next
    }),
  )
  return (each * AT_ONCE * 1000) / (performance.now() - began)
}

async function searchP99(reader: Visitor): Promise<number> {
  return percentile(await searchesElsewhere(reader, { warming: WARMING, searches, everyMs: 0 }), 0.99)
}

/** Repeats `noise` at once and without pause while `measure` runs. */
async function during(noise: () => Promise<unknown>, measure: () => Promise<number>): Promise<number> {
  let over = false
  const flood = Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (!over) await noise()
    }),
  )
  // A refusal waits to be told until the measuring is over.
  flood.catch(() => undefined)
  try {
    return await measure()
  } finally {
    over = true
    await flood
  }
}

/** How many a second get done, several at once. */
async function perSecond(count: number, work: () => Promise<unknown>): Promise<number> {
  const turns = Array.from({ length: count }).values()
  const began = performance.now()
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const _ of turns) await work()
    }),
  )
  return (count * 1000) / (performance.now() - began)
}
