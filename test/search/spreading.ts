// Many small collections: each is opened when it is asked, and only so many stay open.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { search } from '../../src/rag/search.ts'
import { chunkOf, folder, lanesFor } from './lanes.ts'

/** Collections a thread keeps open (workers/open-files.ts). */
const OPEN_MAX = 64
const PASSAGES = 20

/** `count` collections of twenty passages each: all are found, none is in memory before it is asked, and few at any time. */
export async function spread(t: Test, count: number) {
  const lanes = await lanesFor(t)
  const { dir: home } = folder(t)
  const all = Array.from({ length: count }, (_, i) => ({ id: `c${i}`, dir: join(home, `c${i}`) }))
  const texts = Array.from({ length: PASSAGES }, (_, i) => `Barrel ${i} holds oil.`)
  const vectors = await lanes.embedPassages(texts)
  for (const { id, dir } of all) {
    mkdirSync(dir)
    const own = texts.map(text => chunkOf(`${text} It is of ${id}.`))
    await lanes.write.append(dir, id, 'v', own, vectors)
    await lanes.write.publish(dir, id, 'v')
  }
  const held = async () => {
    let open = 0
    for (const { dir } of all) if (Object.keys((await lanes.index(dir)).memory).length > 0) open += 1
    return open
  }
  t.equal(await held(), 0, 'nothing is loaded before it is asked')
  let found = 0
  for (const collection of all) {
    const [hit] = await search(lanes, { query: 'oil in barrel 7', mode: 'hybrid', top_k: 1, collections: [collection] })
    if (hit?.document_id === collection.id) found += 1
  }
  t.equal(found, count)
  const left = await held()
  t.ok(left > 0 && left <= OPEN_MAX, `${left} of ${count} are in memory`)
}
