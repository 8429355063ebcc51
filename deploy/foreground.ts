// The process in charge of a stack, in a terminal (`make dev`) or behind `make start`: starts it, tells how to use it, and on a signal
// ends it whole.

import { readSettings } from './environment.ts'
import type { PartName } from './part.ts'
import { portsOf } from './ports.ts'
import { type Stack, startStack } from './stack.ts'
import { watchSources } from './watch.ts'

const NAME_WIDTH = 5

/**
 * Runs the stack of `dir` until a signal comes, to the process or as `abandoned`. `ready` is called once it is healthy. Rejects with a
 * sentence when it cannot start.
 */
export async function runUntilSignal(
  dir: string,
  o: { dev: boolean; ready: (stack: Stack) => void; abandoned?: AbortSignal },
): Promise<void> {
  // A terminal that goes away must not keep us from ending what we started.
  process.stdout.on('error', () => undefined)
  const asked = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => asked.abort())
  o.abandoned?.addEventListener('abort', () => asked.abort())
  const say = (sentence: string) => prefixed('stack', `${sentence}\n`)

  const ports = portsOf(readSettings(dir, process.env))
  const output = o.dev ? { output: prefixed } : {}
  const stack = await startStack({ dir, ports, env: process.env, say, signal: asked.signal, ...output }).catch(error => {
    if (asked.signal.aborted) return undefined
    throw error
  })
  if (!stack) return
  const endWatching = o.dev ? watchSources(stack, say) : () => undefined
  o.ready(stack)
  if (!asked.signal.aborted) await new Promise(resolve => asked.signal.addEventListener('abort', resolve))
  say('stopping')
  endWatching()
  await stack.stop()
  say('stopped')
}

function prefixed(name: PartName | 'stack', bytes: Uint8Array | string) {
  for (const line of String(bytes).trimEnd().split('\n')) process.stdout.write(`${name.padEnd(NAME_WIDTH)} │ ${line}\n`)
}

/** Four commands that go from nothing to an answer from one's own document. */
export const quickStart = (url: string) => `
The stack is up at ${url}, its routes are at ${url}/docs. From nothing to an answer about your own document:
  curl -s ${url}/auth/register -H 'content-type: application/json' -d '{"username":"ada","password":"correct horse battery"}'
  TOKEN=$(curl -s ${url}/auth/login -H 'content-type: application/json' -d '{"username":"ada","password":"correct horse battery"}' | sed 's/.*"token":"\\([^"]*\\)".*/\\1/')
  curl -s ${url}/rag/documents -H "authorization: Bearer $TOKEN" -F file=@YOUR.pdf
  curl -s ${url}/agent/query -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' -d '{"user_request":"YOUR QUESTION"}'
`
