// Which answerers there are, from the configuration: the built-in one always; the model of this machine for small talk when its weights are
// there, and for everything when it is chosen; a model elsewhere when one is configured.
import type { AgentConfig } from '../config.ts'
import type { Answerer } from './answerer.ts'
import { extractive } from './extractive.ts'
import { LOCAL_PROMPT_TOKENS_MAX, openLocal } from './local.ts'
import { findWeights } from './local-weights.ts'
import { looped } from './loop.ts'
import { BUILT_IN, LOCAL } from './providers.ts'
import { patient } from './retries.ts'

export interface Answerers {
  /** Answer from documents, the first that can; after them the built-in one. */
  readers: Answerer[]
  /** Answer without documents. */
  talkers: Answerer[]
  builtIn: Answerer
  /** The name of the first that is asked, and of all. */
  first: string
  names: string[]
  close(): Promise<void>
}

const KEY_NAMES = {
  openai_compatible: 'OPENAI_API_KEY',
  openai: 'OPENAI_API_KEY',
  anthropic: 'ANTHROPIC_API_KEY',
  google: 'GEMINI_API_KEY',
} as const

interface Log {
  warn: (context: object, message: string) => void
}

/** The answerers a configuration names. The packages a model elsewhere needs are loaded only when there is one. Throws when a setting is missing. */
export async function chooseAnswerers(config: AgentConfig, log: Log): Promise<Answerers> {
  const { DEFAULT_LLM_PROVIDER: provider, DEFAULT_LLM_PROMPT_TOKENS: promptTokensMax } = config
  const builtIn = extractive(config.RAG_SIMILARITY_THRESHOLD)
  const bounds = { silenceMsMax: config.DEFAULT_LLM_SILENCE_MS, callMsMax: config.DEFAULT_LLM_CALL_MS }
  const among = (readers: Answerer[], talkers: Answerer[], close: () => Promise<void> = async () => undefined) => {
    const names = [...new Set([...readers, builtIn, ...talkers].map(({ name }) => name))]
    return { readers, talkers, builtIn, first: names[0] ?? BUILT_IN, names, close }
  }
  if (provider === BUILT_IN || provider === LOCAL) {
    const weights = await findWeights(config.LOCAL_MODEL_PATH, provider === LOCAL)
    if (!weights) return among([], [])
    const model = openLocal(weights, log)
    const local = looped(model, Math.min(promptTokensMax, LOCAL_PROMPT_TOKENS_MAX), bounds)
    return among(provider === LOCAL ? [local] : [], [local], () => model.close())
  }
  const { DEFAULT_LLM_MODEL: name, DEFAULT_LLM_BASE_URL: baseUrl } = config
  const keyName = KEY_NAMES[provider]
  const apiKey = config[keyName]
  const isVendor = provider !== 'openai_compatible'
  const missing = [
    ...(name ? [] : ['DEFAULT_LLM_MODEL']),
    ...(isVendor || baseUrl ? [] : ['DEFAULT_LLM_BASE_URL']),
    ...(isVendor && !apiKey ? [keyName] : []),
  ]
  if (!name || missing.length > 0) throw new Error(`DEFAULT_LLM_PROVIDER is ${provider}: set ${missing.join(' and ')} too.`)
  const { remote } = await import('./remote.ts')
  const answerer = looped(patient(remote({ provider, model: name, baseUrl, apiKey })), promptTokensMax, bounds)
  return among([answerer], [answerer])
}
