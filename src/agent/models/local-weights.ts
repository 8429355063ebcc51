// Which file the model of this machine is read from, if there is one. What an operator names has to be there; what `make smalltalk` brings
// may be absent.
import { open } from 'node:fs/promises'
import { resolve } from 'node:path'

/** Where `make smalltalk` leaves its model; used when nothing else is named. */
export const SMALLTALK = 'run/models/SmolLM2-135M-Instruct.Q4_1.gguf'
/** The name of no model. */
const NONE = 'none'
const MAGIC = 'GGUF'

export interface Weights {
  path: string
  bytes: number
}

/** The weights at `path`; nothing when there are none and none are needed. Throws one sentence when they are, or are of another kind. */
export async function findWeights(path: string, isNeeded: boolean): Promise<Weights | undefined> {
  const remedy = 'run make smalltalk, or name a GGUF file in LOCAL_MODEL_PATH'
  if (path === NONE && isNeeded) throw new Error(`DEFAULT_LLM_PROVIDER is local, and LOCAL_MODEL_PATH is none: ${remedy}.`)
  if (path === NONE) return undefined
  const file = await open(path).catch(cause => {
    if (!isNeeded && path === SMALLTALK && cause.code === 'ENOENT') return undefined
    throw new Error(`There is no model to be read at LOCAL_MODEL_PATH (${path}): ${remedy}.`, { cause })
  })
  if (!file) return undefined
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAGIC.length), 0, MAGIC.length, 0)
    if (buffer.toString('latin1', 0, bytesRead) !== MAGIC)
      throw new Error(`LOCAL_MODEL_PATH (${path}) is no GGUF file: ${remedy}.`)
    return { path: resolve(path), bytes: (await file.stat()).size }
  } finally {
    await file.close()
  }
}
