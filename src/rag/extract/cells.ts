// Numbers in the cells of a workbook, as a reader sees them: which of a sheet's styles are dates or percent (ECMA-376, 18.8.30), and what
// such a number says.
import { readXml } from './markup.ts'

export type NumberKind = 'number' | 'date' | 'percent'

/** The formats that need no definition (18.8.30): 14–22 and 45–47 are dates and times, 9 and 10 percent. */
const builtIn = (id: number): NumberKind =>
  (id >= 14 && id <= 22) || (id >= 45 && id <= 47) ? 'date' : id === 9 || id === 10 ? 'percent' : 'number'

/** What kind of number each style of a workbook's `styles` part shows, by the style's index. */
export function numberKinds(xml: string): NumberKind[] {
  const defined = new Map<number, NumberKind>()
  const kinds: NumberKind[] = []
  let inStyles = false
  readXml(xml, {
    open(tag, { numFmtId = '0', formatCode = '' }) {
      if (tag === 'numFmt') defined.set(Number(numFmtId), kindOfFormat(formatCode))
      else if (tag === 'cellXfs') inStyles = true
      else if (tag === 'xf' && inStyles) kinds.push(defined.get(Number(numFmtId)) ?? builtIn(Number(numFmtId)))
    },
    close(tag) {
      if (tag === 'cellXfs') inStyles = false
    },
  })
  return kinds
}

/** Letters in quotes, after a backslash or in brackets (colours, currencies) are not part of what is counted. */
function kindOfFormat(code: string): NumberKind {
  const bare = code.replace(/"[^"]*"|\\.|\[[^\]]*\]|_./g, '')
  return /[ymdhs]/i.test(bare) ? 'date' : bare.includes('%') ? 'percent' : 'number'
}

const DAY_MS = 86_400_000
/** Day 0 of the two calendars: Excel counts a 29 February 1900 that never was, so days before March 1900 are one off, as everywhere. */
const EPOCH_1900 = Date.UTC(1899, 11, 30)
const EPOCH_1904 = Date.UTC(1904, 0, 1)
/** The last day of the year 9999, beyond which there are no dates. */
const DAYS_MAX = 2_958_465

/** A stored number in words: fifteen digits as in a sheet, a date in ISO 8601, a share in percent. */
export function shown(value: string, kind: NumberKind, since1904: boolean): string {
  const number = Number(value)
  if (!Number.isFinite(number)) return value
  if (kind === 'percent') return `${digits(number * 100)}%`
  if (kind === 'number' || number < 0 || number > DAYS_MAX) return digits(number)
  const moment = new Date((since1904 ? EPOCH_1904 : EPOCH_1900) + Math.round(number * 86_400) * 1000).toISOString()
  const [day = '', time = ''] = moment.slice(0, -5).split('T')
  if (number < 1) return time
  return (number * DAY_MS) % DAY_MS === 0 ? day : `${day} ${time}`
}

const digits = (number: number) => String(Number(number.toPrecision(15)))
