// What is asked of the catalogue for one request or one document takes no longer in a full one: SQLite says of every statement how it finds
// its rows.
import t from 'tap'
import { type Database, openDatabase } from '../../src/rag/store/database.ts'
import { schemas } from '../../src/rag/store/schema.ts'
import { collectionTable } from '../../src/rag/store/tables/collections.ts'
import { documentTable } from '../../src/rag/store/tables/documents.ts'
import { erasureTable } from '../../src/rag/store/tables/erasures.ts'
import { evaluationTable } from '../../src/rag/store/tables/evaluations.ts'
import { holdingTable } from '../../src/rag/store/tables/holdings.ts'
import { idempotencyTable } from '../../src/rag/store/tables/idempotency.ts'
import { jobTable } from '../../src/rag/store/tables/jobs.ts'
import { servingTable } from '../../src/rag/store/tables/serving.ts'
import { versionTable } from '../../src/rag/store/tables/versions.ts'

const tables = {
  collections: collectionTable,
  documents: documentTable,
  erasures: erasureTable,
  evaluations: evaluationTable,
  holdings: holdingTable,
  idempotency: idempotencyTable,
  jobs: jobTable,
  serving: servingTable,
  versions: versionTable,
}

/** Those that may look at all of a collection, or at all there are of a kind, and why that is seldom or little. */
const walking: Record<string, string> = {
  'collections.ids': 'when the service starts, or the model changes',
  'collections.erasing': 'those of an index that holds only these',
  'collections.remove': 'has nothing left in it',
  'collections.grants': 'at most a hundred',
  'documents.someOf': 'ends after some, in the order of an index',
  'documents.shown': 'when a collection is mended',
  'documents.described': 'in a thread of its own',
  'documents.searchable': 'ends with the first',
  'documents.holds': 'ends with the first',
  'erasures.unfinished': 'those of an index that holds only these',
  'erasures.forget': 'when a user is deleted',
  'evaluations.next': 'those that wait, of which there are few',
  'evaluations.waiting': 'those that wait, of which there are few',
  'evaluations.stored': 'ends after a few, in the order of an index',
  'holdings.needed': 'when the service starts',
  'holdings.letGoUnneeded': 'when the service starts',
  'jobs.unfinished': 'when the service starts',
  'serving.row': 'has one row',
  'versions.texts': 'when the service starts',
}

/** What `open` asks of a database, by the question that asks it; nothing is answered. */
function statementsOf(table: string, open: (database: Database) => object, values: readonly unknown[]) {
  let asked: string[] = []
  const note = (sql: string) => {
    asked.push(sql)
    return []
  }
  const noting = { one: (sql: string) => void note(sql), run: note, all: note, each: note } as unknown as Database
  return Object.entries(open(noting)).map(([name, ask]) => {
    asked = []
    ask(...values)
    return { question: `${table}.${name}`, asked }
  })
}

t.test('what may be asked at any time is found by an index', t => {
  const database = openDatabase(':memory:', schemas)
  t.teardown(() => database.close())
  const stepsOf = (sql: string) => database.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`).map(({ detail }) => detail)
  const walks = (step: string) => /^SCAN (?!.*VIRTUAL|\()|\(collection_id=\?\)/.test(step)

  const walked = new Set<string>()
  for (const [table, open] of Object.entries(tables)) {
    for (const { question, asked } of statementsOf(table, open, ['a', 'b', 'c'])) {
      t.not(asked.length, 0, `${question} asks something`)
      for (const sql of asked) {
        const steps = stepsOf(sql).filter(walks)
        if (steps.length === 0) continue
        walked.add(question)
        t.ok(question in walking, `${question}: ${steps.join('; ')}`)
      }
    }
  }
  t.same([...walked].toSorted(), Object.keys(walking).toSorted(), 'and what is told as walking does')
  t.end()
})

t.test('a page of documents is told in the order of an index, whatever it is asked by', t => {
  const database = openDatabase(':memory:', schemas)
  t.teardown(() => database.close())
  const row = { collections: '["c"]', limit: 50 }
  for (const state of [null, 'ready'] as const) {
    for (const name of [null, 'a.txt']) {
      for (const after of [null, 'd']) {
        const [list] = statementsOf('documents', db => ({ list: documentTable(db).list }), [{ ...row, state, name, after }])
        const plan = database.all<{ parent: number; detail: string }>(`EXPLAIN QUERY PLAN ${list?.asked[0]}`)
        t.ok(plan.some(({ detail }) => /SEARCH documents USING (COVERING )?INDEX/.test(detail)))
        t.notOk(
          plan.find(({ parent, detail }) => parent !== 0 && /TEMP B-TREE/.test(detail)),
          `${state} ${name} ${after}`,
        )
      }
    }
  }
  t.end()
})
