// The command line behind the Makefile: `node deploy/main.ts <command>`. Works on the stack of the current folder.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { runningIn, startBehind, statusOf, stopBehind, type Tidings } from './background.ts'
import { checkEdge } from './edge-check.ts'
import { readSettings } from './environment.ts'
import { renderEnvoy } from './envoy.ts'
import { quickStart, runUntilSignal } from './foreground.ts'

const dir = process.cwd()
const print = (text: string) => process.stdout.write(`${text}\n`)
const LINES = '40'
/** Variables that name a place outside `data`. */
const ELSEWHERE = ['RAG_DATA_DIR', 'AUDIT_DIR', 'REDIS_URL', 'REDIS_HOST']

const commands: Record<string, () => Promise<unknown>> = {
  dev: () => runUntilSignal(dir, { dev: true, ready: ({ url }) => print(quickStart(url)) }),

  async background() {
    // Whoever started us waits for one word. If he goes before it (Ctrl-C), he wants no stack; after it he goes in any case.
    const abandoned = new AbortController()
    const goes = () => abandoned.abort()
    process.once('disconnect', goes)
    const tell = (tidings: Tidings) => {
      process.off('disconnect', goes)
      process.send?.(tidings, error => error && goes())
    }
    await runUntilSignal(dir, { dev: false, ready: ({ url }) => tell({ url }), abandoned: abandoned.signal }).catch(error => {
      tell({ failure: error.message })
      throw error
    })
  },

  start: async () => print(quickStart(await startBehind(dir))),

  stop: async () => print((await stopBehind(dir)) ? 'The stack has stopped.' : 'Nothing was running.'),

  async restart() {
    await stopBehind(dir)
    print(quickStart(await startBehind(dir)))
  },

  async status() {
    const { up, text } = await statusOf(dir)
    print(text)
    if (!up) process.exitCode = 1
  },

  async logs() {
    const files = globSync(join(dir, 'run/logs/*.log'))
    if (files.length === 0) return print('There are no logs yet: make start writes them to run/logs.')
    await once(spawn('tail', ['-n', LINES, '-F', ...files], { stdio: 'inherit' }), 'exit')
  },

  /** For containers: the edge's configuration from the environment into the folder that follows. */
  render: () => renderEnvoy(process.env, process.argv[3] ?? dir, 'compose'),

  'edge-check': async () => print((await checkEdge()).join('\n')),

  async purge() {
    const running = runningIn(dir)
    if (running.length > 0) throw new Error(`The stack is running (${running.join(', ')}): make stop first.`)
    const data = join(dir, 'data')
    if (process.env.YES !== '1') {
      const asking = createInterface({ input: process.stdin, output: process.stdout })
      const answer = await asking.question(`Delete every account, document and conversation in ${data}? Type yes: `)
      asking.close()
      if (answer !== 'yes') return print('Nothing was deleted.')
    }
    await rm(data, { recursive: true, force: true })
    print(`${data} is deleted.`)
    const settings = readSettings(dir, process.env)
    const elsewhere = ELSEWHERE.filter(name => settings[name])
    if (elsewhere.length > 0) print(`What lies where ${elsewhere.join(', ')} says is not: delete it there.`)
  },
}

const command = commands[process.argv[2] ?? '']
try {
  if (!command) throw new Error(`Say one of: ${Object.keys(commands).join(' ')}`)
  await command()
  process.exit()
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`)
  process.exit(1)
}
