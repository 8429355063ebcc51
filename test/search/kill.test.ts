import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { openCollection } from '../../src/rag/store/collection.ts'

const ROUNDS = 8

t.test('killed in the middle of writing, again and again, a collection is whole when it is opened', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'killed-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  let told = -1
  for (let round = 0; round < ROUNDS; round++) {
    // Another number of versions each time, so that the kill meets another moment.
    told = await writeAndKill(dir, told + 1, 3 + 5 * round)
    inspect(dir, told)
  }

  function inspect(dir: string, told: number) {
    const file = openCollection(dir, 'm')
    try {
      const { published } = file.state()
      const stored = file.vectorsAfter(0, 0, 1000)
      const passages = file.passages(stored.map(({ id }) => id))
      t.equal(stored.length, published, 'the count is that of what is visible')
      t.equal(file.match('common', 1000).length, published, 'full text holds what is visible, and no more')
      for (const document of new Set(passages.map(passage => passage.document))) {
        const own = passages.filter(passage => passage.document === document)
        const versions = [...new Set(own.map(({ version }) => version))]
        t.equal(versions.length, 1, 'one version of a document is visible')
        t.same(
          own.map(({ ordinal }) => ordinal),
          [0, 1, 2, 3, 4],
          'and it is whole',
        )
        const n = Number(versions[0]?.slice(1))
        t.equal(file.match(`"word${n}"`, 10).length, 5)
        t.ok(
          stored.every(({ id, vector }) => {
            const passage = passages.find(one => one.id === id)
            return `v${new Float32Array(new Uint8Array(vector).buffer)[0]}` === passage?.version
          }),
          'each vector is that of its passage',
        )
      }
      const last = passages.find(({ document }) => document === `d${told % 3}`)
      t.ok(last && Number(last.version.slice(1)) >= told, 'what was said to be published is there')
      file.sweep([])
      t.equal(file.appended(`d${(told + 1) % 3}`, `v${told + 1}`) % 5, 0, 'what was half appended is swept')
    } finally {
      file.close()
    }
  }
})

/** Lets a process write from version `from` on and kills it after `count` versions; gives the last it told of. */
async function writeAndKill(dir: string, from: number, count: number): Promise<number> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'writing.ts'), dir, String(from)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {},
  })
  const ended = once(child, 'exit')
  let last = from - 1
  for await (const line of createInterface({ input: child.stdout })) {
    last = Number(line)
    if (last - from === count) child.kill('SIGKILL')
  }
  const [, signal] = await ended
  if (signal !== 'SIGKILL') throw new Error(`It ended by itself after version ${last}`)
  return last
}
