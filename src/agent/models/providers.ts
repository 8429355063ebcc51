// Who can be configured to answer.

/** The answerer that needs no model. */
export const BUILT_IN = 'extractive'
/** The model that runs on this machine. */
export const LOCAL = 'local'
/** Models elsewhere, by the protocol they speak. */
export const providers = ['openai_compatible', 'openai', 'anthropic', 'google'] as const
export type Provider = (typeof providers)[number]
