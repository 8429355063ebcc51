import { execFile, execFileSync } from 'node:child_process'
import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'

const setup = join(import.meta.dirname, '../../deploy/setup.sh')
const which = (tool: string) => execFileSync('/bin/sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).trim()
const tools = {
  sh: '/bin/sh',
  dirname: which('dirname'),
  node: process.execPath,
  npm: which('npm'),
  python3: execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim(),
  make: which('make'),
  openssl: which('openssl'),
}

/** What set-up says on a machine that has only these tools. */
async function saidWith(bin: string, present: Partial<typeof tools>): Promise<string> {
  for (const [name, path] of Object.entries(present)) symlinkSync(path, join(bin, name))
  const failed = await promisify(execFile)(setup, { env: { PATH: bin } }).catch(error => error)
  return failed.stderr
}

const missing = [
  ['node', /^setup: Node\.js 20 or later is missing; install it with: sudo apt-get install -y npm && sudo npx --yes n 22\n$/],
  ['npm', /^setup: npm is missing; install it with: sudo apt-get install -y npm\n$/],
  ['python3', /^setup: python3 with venv is missing; install it with: sudo apt-get install -y python3 python3-venv\n$/],
  ['make', /^setup: make is missing; install it with: sudo apt-get install -y make\n$/],
  ['openssl', /^setup: openssl is missing; install it with: sudo apt-get install -y openssl\n$/],
] as const

for (const [tool, sentence] of missing) {
  t.test(`without ${tool} set-up stops with one sentence that names the command`, async t => {
    const { [tool]: _, ...others } = tools
    t.match(await saidWith(t.testdir(), others), sentence)
  })
}

t.test('without a C++ compiler set-up stops with one sentence that names the command', async t => {
  t.match(
    await saidWith(t.testdir(), tools),
    /^setup: A C\+\+ compiler is missing; install it with: sudo apt-get install -y g\+\+\n$/,
  )
})
