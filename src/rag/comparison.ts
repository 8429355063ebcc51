// Two embedding models compared by what users stored with their evaluations, each question asked as its user.
import { Failure } from '../platform/errors.ts'
import type { Question } from './finding.ts'
import { estimate, marks } from './measures.ts'
import type { Catalogue } from './store/catalogue.ts'

/** Stored evaluations that are asked again, the newest, and questions of them all together. */
const EVALUATIONS_MAX = 100
const QUESTIONS_MAX = 1000
/** Documents ranked per question; nDCG@10 looks at so many. */
const RANKED = 10

/** What a user may read, best first; `model` names whose vectors are compared. */
export type Passages = (user: string, question: Question, model?: string) => Promise<{ document_id: string }[]>

interface Stored {
  user: string
  question: Question
  relevant: string[]
}
/** nDCG@10 of one question by the model that serves and by the other. */
export interface Score {
  before: number
  after: number
}

/** The stored questions, the newest evaluations first. */
export function storedQuestions(evaluations: Catalogue['evaluations']): Stored[] {
  return evaluations
    .stored(EVALUATIONS_MAX)
    .flatMap(({ user_id: user, request }) => {
      const { queries, collection_ids } = JSON.parse(request) as {
        queries: { query: string; relevant: string[] }[]
        collection_ids?: string[]
      }
      return queries.map(({ query, relevant }) => {
        const question: Question = { query, collection_ids, top_k: RANKED, group_by: 'document' }
        return { user, question, relevant }
      })
    })
    .slice(0, QUESTIONS_MAX)
}

/** What a question says of two models. Nothing when its user could not ask it any more: what it reached may be gone, or too much by now. */
export async function ranked(
  passages: Passages,
  { user, question, relevant }: Stored,
  model: string,
  beside: string,
): Promise<Score | undefined> {
  const by = async (name: string) => {
    const found = await passages(user, question, name)
    const ids = found.map(({ document_id }) => document_id)
    return marks(ids, relevant).ndcg_at_10
  }
  try {
    const [before, after] = await Promise.all([by(model), by(beside)])
    return { before, after }
  } catch (error) {
    if (error instanceof Failure && error.statusCode < 500) return undefined
    throw error
  }
}

export function difference(scores: readonly Score[]) {
  return {
    questions: scores.length,
    ndcg_at_10: {
      before: estimate(scores.map(({ before }) => before)),
      after: estimate(scores.map(({ after }) => after)),
      difference: estimate(scores.map(({ before, after }) => after - before)),
    },
  }
}
