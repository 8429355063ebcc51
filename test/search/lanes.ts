// What the tests of search share: lanes with the real model, and collections in folders of their own.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Test } from 'tap'
import { type LaneOptions, type Lanes, openLanes } from '../../src/rag/lanes.ts'
import { folder as newFolder } from '../support/folder.ts'

const modelsDir = resolve(import.meta.dirname, '../../run/models')
export const options = { modelsDir, model: 'Xenova/all-MiniLM-L6-v2', embedThreads: 1, chunkTokens: 200, chunkOverlap: 32 }

/** Why a test that needs the model cannot run, or false. */
export const skip = existsSync(modelsDir) ? false : 'no weights in run/models; make setup brings them'

export async function lanesFor(t: Test, others: Partial<LaneOptions> = {}): Promise<Lanes> {
  const lanes = await openLanes({ ...options, ...others })
  t.teardown(() => lanes.close())
  return lanes
}

/** An empty collection. */
export function folder(t: Test, id = 'c') {
  return { id, dir: newFolder(t) }
}

export const chunkOf = (content: string) => ({ start_byte: 0, end_byte: Buffer.byteLength(content), content })

/** A unit vector near the i-th of 384 axes, leaning to the next two. */
export function direction(i: number): number[] {
  const values = Array<number>(384).fill(0)
  for (const [step, value] of [0.9, 0.4, Math.sqrt(1 - 0.81 - 0.16)].entries()) values[(i + step) % 384] = value
  return values
}

/** Adds a document of one passage per text and shows it. */
export async function add(lanes: Lanes, { dir }: { dir: string }, document: string, texts: string[], version = 'v') {
  await lanes.write.append(dir, document, version, texts.map(chunkOf), await lanes.embedPassages(texts))
  await lanes.write.publish(dir, document, version)
}

/** The files of a collection that hold these bytes. */
export function holders(dir: string, bytes: string | Buffer): string[] {
  return readdirSync(dir).filter(name => readFileSync(join(dir, name)).includes(bytes))
}
