// Ways to write a path otherwise, in endless number and each again from its seed.

/** Numbers from a seed (mulberry32), so that a spelling that fails can be made again. */
function random(seed: number) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

type Pick = (below: number) => number

const tails = ['/', '//', '/.', '/..;/', ';', ';a=b', '%20', '%09', '%00', '.json', '?', '?x=/auth/login', '#', '#/auth/login']
const detours = ['/..', '/../..', '/%2e%2e', '/..;', '#', '?', '/\\..', '%2f..']
const prefixes = ['/auth/auth', '/docs/..', '/agent/../auth', '/api/../auth', '/docs/%2e%2e/auth', '']

/** Encodings, doubled and dotted segments, other slashes, case, tails, detours over open paths, other prefixes, whole addresses. */
const twists: ((path: string, pick: Pick) => string)[] = [
  (path, pick) => encodeAt(path, pick(path.length)),
  (path, pick) => encodeAt(path, pick(path.length)).toUpperCase(),
  (path, pick) => encodeAt(path, pick(path.length)).replaceAll('%', '%25'),
  path => path.replaceAll('/', '//'),
  (path, pick) => insert(path, pick, '/./'),
  (path, pick) => insert(path, pick, '/x/../'),
  (path, pick) => insert(path, pick, '/%2e/'),
  (path, pick) => insert(path, pick, '/x/%2e%2E/'),
  (path, pick) => insert(path, pick, '/login/../'),
  (path, pick) => insert(path, pick, '\\'),
  (path, pick) => insert(path, pick, '%2f'),
  (path, pick) => insert(path, pick, '%5C'),
  (path, pick) => path.replace('/', ['/;x/', '/;/', '/%3b/'][pick(3)] ?? '/'),
  (path, pick) => path + (tails[pick(tails.length)] ?? ''),
  path => `${path}/%2e%2e/login`,
  (path, pick) => `/auth/login${detours[pick(detours.length)]}${path.replace(/^\/\w+/, '')}`,
  path => path.toUpperCase(),
  path => `/api${path}`,
  path => `http://elsewhere.example${path}`,
  path => `//elsewhere.example${path}`,
  (path, pick) => path.replace(/^\/\w+/, prefixes[pick(prefixes.length)] ?? ''),
]

const encodeAt = (path: string, at: number) => `${path.slice(0, at)}%${path.charCodeAt(at).toString(16)}${path.slice(at + 1)}`

/** Replaces one slash. */
function insert(path: string, pick: Pick, piece: string): string {
  const slashes = [...path.matchAll(/\//g)].map(({ index }) => index)
  const at = slashes[pick(slashes.length)] ?? 0
  return path.slice(0, at) + piece + path.slice(at + 1)
}

/** So many spellings of a path, each one to three twists away from it. */
export function spellings(path: string, seed: number, count: number): string[] {
  const next = random(seed)
  const pick = (below: number) => Math.floor(next() * below)
  return Array.from({ length: count }, () => {
    let spelled = path
    for (let more = 1 + pick(3); more > 0; more--) spelled = twists[pick(twists.length)]?.(spelled, pick) ?? spelled
    // Node's own client refuses these; the raw ones are in refusals.test.ts.
    return spelled.replace(/[^\x21-\x7e]/g, '%20')
  })
}

/** Works through all of them, so many at a time. */
export async function each<Item>(items: Item[], atOnce: number, work: (item: Item) => Promise<void>) {
  const queue = [...items]
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let item = queue.pop(); item !== undefined; item = queue.pop()) await work(item)
    }),
  )
}
