// Reads folders of the BEIR layout: corpus.jsonl, queries.jsonl, both as they are or packed as .gz, and qrels/test.tsv.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { Judgements } from './measures.ts'

export interface Query {
  id: string
  text: string
  judged: Judgements
}

/** The objects of a file of JSON lines, packed with gzip; where there is none at `path`, those of the file without `.gz`. */
export function lines<Line = Record<string, string>>(path: string): Line[] {
  const bytes = existsSync(path) ? gunzipSync(readFileSync(path)) : readFileSync(path.replace(/\.gz$/, ''))
  return bytes
    .toString()
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
}

/** The texts of a folder, each below its title. */
export function documents(folder: string): { id: string; text: string }[] {
  return lines(join(folder, 'corpus.jsonl.gz')).map(({ _id = '', title, text = '' }) => ({
    id: _id,
    text: title ? `${title}\n\n${text}` : text,
  }))
}

/** Query, document, and how right that is. */
export function judgements(folder: string): [query: string, document: string, gain: number][] {
  const rows = readFileSync(join(folder, 'qrels/test.tsv'), 'utf8').trim().split('\n').slice(1)
  return rows.map(row => {
    const [query = '', document = '', gain = '0'] = row.split('\t')
    return [query, document, Number(gain)]
  })
}

/** The queries for which some document is right. */
export function judgedQueries(folder: string): Query[] {
  const judged = new Map<string, Judgements>()
  for (const [query, document, gain] of judgements(folder))
    judged.set(query, (judged.get(query) ?? new Map()).set(document, gain))
  return lines(join(folder, 'queries.jsonl.gz'))
    .map(({ _id = '', text = '' }) => ({ id: _id, text, judged: judged.get(_id) ?? new Map<string, number>() }))
    .filter(({ judged: one }) => [...one.values()].some(gain => gain > 0))
}
