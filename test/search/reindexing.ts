// What the tests of a change of model share: two models made of the same weights, a catalogue with stored questions, and what drives them.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { openLanes } from '../../src/rag/lanes.ts'
import { models } from '../../src/rag/models.ts'
import { openReindex } from '../../src/rag/reindex.ts'
import { search } from '../../src/rag/search.ts'
import { openCatalogue } from '../../src/rag/store/catalogue.ts'
import { options } from './lanes.ts'

const [mini] = models
if (!mini) throw new Error('There is a model')
/** Reads the first token instead of all: other vectors, worse ones. */
export const OTHER = { ...mini, name: 'test/first-token', pooling: 'cls' as const }
/** Hears the same in every question: the prefix is all it reads. */
export const DEAF = { ...mini, name: 'test/deaf', queryPrefix: 'The parliament of Peru debates taxes on bananas. '.repeat(80) }
export const ABSENT = { ...mini, name: 'test/absent' }

const texts: Record<string, string> = {
  well: 'The north well was sealed in May.',
  ferry: 'The ferry leaves from pier nine at dawn.',
  kiln: 'The kiln must cool for eighteen hours before it is opened.',
  barley: 'Barley grows on the south field beside the mill.',
  lamp: 'The lamp of the lighthouse burns oil from the press.',
}
const questions: [string, string][] = [
  ['When was the well closed?', 'well'],
  ['Where does the boat depart?', 'ferry'],
  ['How long does the oven have to cool?', 'kiln'],
  ['Which grain is grown?', 'barley'],
]

type Parts = Parameters<typeof openReindex>[0]

/** A data folder with three collections of documents; `open` is a start of rag's parts on it, `stop` ends them. */
export async function dataWithDocuments(t: Test, given: Partial<Parts> = {}) {
  const dataDir = mkdtempSync(join(tmpdir(), 'reindex-'))
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }))
  const modelsDir = join(dataDir, 'models')
  mkdirSync(join(modelsDir, 'Xenova'), { recursive: true })
  mkdirSync(join(modelsDir, 'test'))
  const weights = join(options.modelsDir, mini?.name ?? '')
  for (const name of [options.model, OTHER.name, DEAF.name]) symlinkSync(weights, join(modelsDir, name))
  const directory = (id: string) => join(dataDir, 'collections', id)
  const collections: { id: string; dir: string }[] = []

  async function open() {
    const catalogue = openCatalogue(dataDir)
    const { model = options.model, beside, stage } = catalogue.serving.row() ?? {}
    const lanes = await openLanes({
      ...{ ...options, modelsDir, model, models: [mini as typeof OTHER, OTHER, DEAF, ABSENT] },
      beside: stage === 'finishing' ? undefined : (beside ?? undefined),
    })
    const ask = (query: string, model?: string) => search(lanes, { query, mode: 'vector', top_k: 10, collections, model })
    const reindex = openReindex({
      ...{
        catalogue,
        lanes,
        directory,
        configured: options.model,
        serves: () => {},
        log: { info: () => {}, error: () => {} },
      },
      passages: (_user, { query }, model) => ask(query, model),
      ...given,
    })
    let isOpen = true
    const parts = {
      catalogue,
      lanes,
      reindex,
      ask,
      async add(collection: { dir: string }, document: string, text: string) {
        const vectors = await lanes.embedPassages([text])
        const passage = { start_byte: 0, end_byte: Buffer.byteLength(text), content: text }
        await lanes.write.append(collection.dir, document, 'v', [passage], vectors)
        await lanes.write.publish(collection.dir, document, 'v')
      },
      /** Waits for a stage while asking all the time; every answer must hold what is asked for. */
      async until(stage: string) {
        while (reindex.view().stage !== stage) {
          if (['kept', 'settled'].includes(reindex.view().stage))
            throw new Error(`It came to rest: ${JSON.stringify(reindex.view())}`)
          const [query, document] = ['The north well was sealed in May.', 'well']
          const [first] = await ask(query)
          if (first?.document_id !== document)
            throw new Error(`while ${reindex.view().stage} the search gave ${first?.document_id}`)
        }
        return reindex.view()
      },
      async stop() {
        if (!isOpen) return
        isOpen = false
        await reindex.close()
        await lanes.close()
        catalogue.close()
      },
    }
    t.teardown(parts.stop)
    return parts
  }

  const parts = await open()
  for (const name of ['one', 'two', 'three']) {
    const { id } = parts.catalogue.collections.insert({ owner: 'ann', name, description: '' })
    mkdirSync(directory(id), { recursive: true })
    collections.push({ id, dir: directory(id) })
  }
  const [first, ...others] = collections as [{ id: string; dir: string }]
  for (const [i, [document, text]] of Object.entries(texts).entries()) {
    await parts.add([first, ...others][i % 3] ?? first, document, text)
  }
  /** As an evaluation that was run stores them. */
  function store() {
    const queries = questions.map(([query, document]) => ({ query, relevant: [document] }))
    parts.catalogue.evaluations.insert({ id: 'e', user_id: 'ann', request: JSON.stringify({ queries }), total: queries.length })
    parts.catalogue.evaluations.finish('e', '{}')
  }
  return { dataDir, collections, first, open, store, ...parts }
}
