// Where sentences end (Unicode Standard Annex #29, with the abbreviations and initials it does not know put back together). A line end
// always ends a sentence: canonical text has one only where the author meant it.

const segmenter = new Intl.Segmenter('und', { granularity: 'sentence' })

/** Annex #29 ends a sentence after these; English (and much of Europe) goes on. */
const abbreviation =
  /(?:^|[\s(["'“‘])(?:\p{Lu}|[Dd]r|[Mm]rs?|[Mm]s|[Mm]x|[Pp]rof|[Ss]t|[Mm]t|[Ff]t|[Jj]r|[Ss]r|[Rr]ev|[Hh]on|[Gg]en|[Cc]ol|[Cc]apt|[Ll]t|[Ss]gt|[Nn]o|[Vv]ol|[Ff]ig|[Ee]q|[Pp]p?|[Ee]d|[Aa]rt|[Ss]ec|[Cc]h|[Vv]s|[Cc]f|[Cc]a|[Aa]pprox|[Ii]nc|[Ll]td|[Cc]o|[Cc]orp|[Uu]niv|[Dd]ept|[Ee]tc|[Ee]\.g|[Ii]\.e|\p{Lu}\.\p{Lu}|al|bzw|z\.\s?B)\.\s+$/u

/** Reference marks after a full stop (`.[12]: 34`): to Annex #29 the next sentence would begin inside the bracket. */
const references = /(?<=[.!?…。！？]["'”’»)]?)(?:\[[^\]\s]{1,12}\](?::\s?\d{1,5})?)+/g

export type Span = { start: number; end: number }

/**
 * The sentences of `text` in order, as UTF-16 ranges that follow each other without a gap (blanks belong to the sentence before them).
 * Linear in the length of the text.
 */
export function* sentences(text: string): Generator<Span> {
  let start = 0
  const plain = text.replace(references, mark => ')'.repeat(mark.length))
  for (const { index, segment } of segmenter.segment(plain)) {
    const end = index + segment.length
    if (end < text.length && !segment.endsWith('\n') && abbreviation.test(segment.slice(-ABBREVIATION_LENGTH_MAX))) continue
    yield { start, end }
    start = end
  }
  if (start < text.length) yield { start, end: text.length }
}

/** The longest ending looked at for an abbreviation, blanks included. */
const ABBREVIATION_LENGTH_MAX = 16
