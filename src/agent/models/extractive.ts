// The built-in answerer: the sentences of the passages that answer the question, word for word. It needs no model and no tokens, and the
// same question and passages give the same bytes.
import { answer as extract } from '../../answering/answer.ts'
import { inContext } from '../followups.ts'
import { shown } from '../segments.ts'
import type { Answerer } from './answerer.ts'
import { BUILT_IN } from './providers.ts'

const NO_MODEL = 'I answer from documents; no language model is set up here to talk with.'

/** `scoreMin` is the least score of a passage that may ground an answer. */
export function extractive(scoreMin: number): Answerer {
  return {
    name: BUILT_IN,
    async *answer({ question, earlier, passages, ground }) {
      if (ground === 'none') return yield [{ text: NO_MODEL }]
      const { sentences } = extract(inContext(question, earlier), passages, { scoreMin })
      const claims = sentences.flatMap(({ passage: at, start_byte, end_byte, text }) => {
        const passage = passages[at]
        return passage ? [{ text: shown(text), passage, start_byte, end_byte, quote: text }] : []
      })
      yield claims.length > 0 ? claims : ['absent']
    },
  }
}
