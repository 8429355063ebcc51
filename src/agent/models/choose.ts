// Which answerers there are, from the configuration: the built-in one always, a model when one is configured.
import type { AgentConfig } from '../config.ts'
import type { Answerer } from './answerer.ts'
import { extractive } from './extractive.ts'
import { looped } from './loop.ts'
import { BUILT_IN } from './providers.ts'
import { patient } from './retries.ts'

export interface Answerers {
  /** Answer from documents, the first that can; after them the built-in one. */
  readers: Answerer[]
  /** Answer without documents. */
  talkers: Answerer[]
  builtIn: Answerer
  /** The name of the first that is asked. */
  first: string
}

/** The answerers a configuration names. The packages a model elsewhere needs are loaded only when there is one. Throws when a setting is missing. */
export async function chooseAnswerers(config: AgentConfig): Promise<Answerers> {
  const builtIn = extractive(config.RAG_SIMILARITY_THRESHOLD)
  const { DEFAULT_LLM_PROVIDER: provider, DEFAULT_LLM_MODEL: model = '', DEFAULT_LLM_BASE_URL: baseUrl } = config
  if (provider === BUILT_IN) return { readers: [], talkers: [], builtIn, first: BUILT_IN }
  const bounds = { silenceMsMax: config.DEFAULT_LLM_SILENCE_MS, callMsMax: config.DEFAULT_LLM_CALL_MS }
  const apiKey = {
    openai_compatible: config.OPENAI_API_KEY,
    openai: config.OPENAI_API_KEY,
    anthropic: config.ANTHROPIC_API_KEY,
    google: config.GEMINI_API_KEY,
  }[provider]
  const { remote } = await import('./remote.ts')
  const answerer = looped(patient(remote({ provider, model, baseUrl, apiKey })), config.DEFAULT_LLM_PROMPT_TOKENS, bounds)
  return { readers: [answerer], talkers: [answerer], builtIn, first: answerer.name }
}
