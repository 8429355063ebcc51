// Filters: what must hold of a document's metadata. A wanted value is looked up, not compared with one after the other, so that a document
// costs what its own metadata takes to read, however much is wanted.

type Scalar = Bound | boolean | null
type Bound = string | number
interface Bounds {
  gt?: Bound
  gte?: Bound
  lt?: Bound
  lte?: Bound
}
/** By field: a value, a list of values, or bounds. */
export type Filter = Record<string, Scalar | { in: Scalar[] } | Bounds>
export type Metadata = Record<string, Scalar | Scalar[]>

type Test = (item: Scalar) => boolean

const bounds: Record<keyof Bounds, (order: number) => boolean> = {
  gt: order => order > 0,
  gte: order => order >= 0,
  lt: order => order < 0,
  lte: order => order <= 0,
}

/** Makes a function that says whether everything in the filter holds; where a field is a list, each condition of one of its items. */
export function matcher(filter: Filter): (metadata: Metadata) => boolean {
  const fields = Object.entries(filter).map(([key, wanted]) => ({ key, tests: testsOf(wanted) }))
  return metadata =>
    fields.every(({ key, tests }) => {
      if (!Object.hasOwn(metadata, key)) return false
      const items = [metadata[key] ?? null].flat()
      return tests.every(test => items.some(test))
    })
}

function testsOf(wanted: Filter[string]): Test[] {
  if (wanted === null || typeof wanted !== 'object') return [oneOf([wanted])]
  if ('in' in wanted) return [oneOf(wanted.in)]
  return Object.entries(wanted).map(([name, bound]) => within(bounds[name as keyof Bounds], bound))
}

function oneOf(wanted: Scalar[]): Test {
  const values = new Set(wanted.map(plain))
  return item => values.has(plain(item))
}

/** Numbers are compared with numbers and text with text, that by its code points. */
function within(holds: (order: number) => boolean, bound: Bound): Test {
  if (typeof bound === 'number') {
    return item => {
      const number = plain(item)
      return typeof number === 'number' && holds(number - bound)
    }
  }
  const bytes = Buffer.from(bound)
  return item => typeof item === 'string' && holds(Buffer.compare(Buffer.from(item), bytes))
}

/** True counts as 1 and false as 0. */
function plain(value: Scalar): Bound | null {
  return typeof value === 'boolean' ? Number(value) : value
}
