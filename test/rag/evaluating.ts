// Runs an evaluation in the folder it is given, fills the disk under it and makes room once that is said; says as JSON what happened.
// For a test that gives it a small disk of its own.
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openCollections } from '../../src/rag/collections.ts'
import { openEvaluations } from '../../src/rag/evaluations.ts'
import { openCatalogue } from '../../src/rag/store/catalogue.ts'

const [folder = ''] = process.argv.slice(2)
const ballast = join(folder, 'ballast')
const fill = () => {
  try {
    for (;;) writeFileSync(ballast, Buffer.alloc(4096), { flag: 'a' })
  } catch {}
}
const catalogue = openCatalogue(folder)
const said: string[] = []
const evaluations = openEvaluations({
  catalogue,
  collections: openCollections(catalogue),
  passages: async (_user, { query }) => {
    if (said.length === 0 && query === 'c') fill()
    return [{ document_id: query }]
  },
  log: {
    error(context, message) {
      const { code } = (context as { err: { code?: string } }).err
      said.push(`${code}: ${message}`)
      // The second time, so that it is seen to last.
      if (said.length === 2) rmSync(ballast)
    },
  },
  againMs: 10,
})
const queries = Array.from('abcdefgh', query => ({ query, relevant: [query] }))
const { id } = evaluations.start('ann', { queries })
const view = () => evaluations.one('ann', id)
while (view().state === 'queued') await new Promise(resolve => setTimeout(resolve, 5))
const { state, done, configurations } = view()
process.stdout.write(JSON.stringify({ state, done, mean: configurations?.[0].ndcg_at_10.mean, said }))
await evaluations.close()
catalogue.close()
