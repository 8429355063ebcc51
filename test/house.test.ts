// The rules of the house, as a test: who may import whom, one door per package, one reader of the environment, one end of the process,
// and files that stay rooms.
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import t from 'tap'

const root = resolve(import.meta.dirname, '..')
const LINES_MAX = 260

interface Source {
  path: string
  text: string
  /** Packages and `node:` modules by name, own files as paths from the root. */
  imports: string[]
}

function sourcesOf(pattern: string): Source[] {
  return globSync(pattern, { cwd: root })
    .toSorted()
    .map(path => {
      const text = readFileSync(join(root, path), 'utf8')
      const found = text.matchAll(/^(?:import|export)\b[^'"`]*?from '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm)
      const imports = [...found]
        .map(([, a, b, c]) => a ?? b ?? c ?? '')
        .map(name => (name.startsWith('.') ? relative(root, resolve(root, dirname(path), name)) : name))
      return { path, text, imports }
    })
}

const sources = sourcesOf('src/**/*.ts')
const packageOf = (name: string) =>
  name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/')
const isPackage = (name: string) => !name.startsWith('src/') && !name.startsWith('node:') && !name.startsWith('package.json')

/** The import table: which own folders and which packages each room may use. `own` is the room itself. */
const rooms: Record<string, { folders: string[]; packages?: RegExp }> = {
  contracts: { folders: ['contracts'], packages: /^typebox$/ },
  platform: {
    folders: ['contracts', 'platform'],
    packages: /^(typebox|fastify|@fastify\/[\w-]+|jose|prom-client|close-with-grace)$/,
  },
  answering: { folders: ['contracts', 'answering'], packages: /^(stemmer|stopword)$/ },
  auth: { folders: ['contracts', 'platform', 'answering', 'auth'] },
  agent: { folders: ['contracts', 'platform', 'answering', 'agent'] },
  rag: { folders: ['contracts', 'platform', 'answering', 'rag'] },
}

function strangers(all: Source[]): string[] {
  return all.flatMap(({ path, imports }) => {
    const room = rooms[path.split('/')[1] ?? '']
    if (!room) return [`${path} lies in no room`]
    return imports
      .filter(name => {
        if (name.startsWith('src/')) return !room.folders.includes(name.split('/')[1] ?? '')
        return isPackage(name) && room.packages !== undefined && !room.packages.test(packageOf(name))
      })
      .map(name => `${path} may not import ${name}`)
  })
}

t.test('every room imports only what its row of the table allows', async t => {
  t.same(strangers(sources), [])
  const bad = { path: 'src/agent/x.ts', text: '', imports: ['src/rag/search.ts', 'jose'] }
  t.same(strangers([bad, { ...bad, path: 'src/contracts/x.ts', imports: ['fastify'] }]), [
    'src/agent/x.ts may not import src/rag/search.ts',
    'src/contracts/x.ts may not import fastify',
  ])
})

t.test('routes know schemas and domain, never a database, a model or a hash', async t => {
  const below = /^(node:sqlite|argon2|@fastify\/redis|ioredis|hnswlib-node|@xenova\/transformers|piscina)$/
  const found = sources
    .filter(({ path }) => path.includes('/routes/'))
    .flatMap(({ path, imports }) => imports.filter(name => below.test(name)).map(name => `${path} imports ${name}`))
  t.same(found, [])
})

/** Shared on purpose: shapes and the framework itself, and JWK handling, which keys.ts reads and keyring.ts writes. */
const shared = new Set(['typebox', 'fastify', '@fastify/type-provider-typebox', 'jose'])

t.test('one package, one door', async t => {
  const doors = new Map<string, Set<string>>()
  for (const { path, imports, text } of sources) {
    for (const name of imports.filter(isPackage)) {
      const typeOnly = new RegExp(`^import type [^\\n]*from '${name.replaceAll('/', '\\/')}'`, 'm').test(text)
      if (!typeOnly && !shared.has(packageOf(name)))
        doors.set(packageOf(name), (doors.get(packageOf(name)) ?? new Set()).add(path))
    }
  }
  const crowded = [...doors].filter(([, files]) => files.size > 1).map(([name, files]) => `${name}: ${[...files].join(', ')}`)
  t.same(crowded, [])
})

t.test('domain files know nothing of the web framework', async t => {
  const outer = /\/(plugin|main|routes\/[\w-]+)\.ts$/
  const found = sources
    .filter(({ path }) => /^src\/(auth|agent|rag)\//.test(path) && !outer.test(path))
    .filter(({ imports }) => imports.some(name => name === 'fastify' || name.startsWith('@fastify/')))
  t.same(
    found.map(({ path }) => path),
    [],
  )
})

t.test('the environment is read in one place, and the process is ended in one', async t => {
  const users = (pattern: RegExp) => sources.filter(({ text }) => pattern.test(text)).map(({ path }) => path)
  t.same(users(/process\.env\b/), ['src/platform/config.ts'])
  t.same(users(/process\.exit\b/), ['src/platform/start.ts'])
})

t.test('no file is longer than a room, and each begins by saying what it is for', async t => {
  const all = [...sources, ...sourcesOf('{deploy,benchmarks,test}/**/*.ts')]
  t.same(
    all.filter(({ text }) => text.split('\n').length > LINES_MAX).map(({ path }) => path),
    [],
  )
  t.same(
    sources.filter(({ text }) => !text.startsWith('// ')).map(({ path }) => path),
    [],
  )
})

t.test('nothing is left for later, and no type is given up', async t => {
  const all = [...sources, ...sourcesOf('{deploy,benchmarks}/**/*.ts')]
  const found = all.filter(({ text }) => /\b(TO[D]O|FIXM[E]|XX[X])\b|: any\b|as any\b|@ts-(ignore|nocheck)/.test(text))
  t.same(
    found.map(({ path }) => path),
    [],
  )
})

t.test('what a test starts does not live in a folder that goes before it has ended', async t => {
  const found = sourcesOf('test/**/*.ts').filter(
    ({ text }) => /\b(startStack|buildService)\(/.test(text) && /\.testdir\(/.test(text),
  )
  t.same(
    found.map(({ path }) => path),
    [],
  )
})
