import { execFile, execFileSync } from 'node:child_process'
import { cpSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
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

t.test('in a folder that comes from another processor the vector index is compiled for this one, once', async t => {
  const root = join(import.meta.dirname, '../..')
  const dir = t.testdir({ deploy: { 'weights.ts': '' }, run: { venv: {} }, node_modules: { '.bin': {} } })
  const copied = ['deploy/setup.sh', 'deploy/requirements.txt', 'package.json', 'package-lock.json', 'node_modules/hnswlib-node']
  for (const path of copied) cpSync(join(root, path), join(dir, path), { recursive: true })
  for (const needed of ['node-addon-api', 'bindings', 'file-uri-to-path', '.bin/node'])
    symlinkSync(join(root, 'node_modules', needed), join(dir, 'node_modules', needed))
  // All else is as set-up leaves it.
  cpSync(join(dir, 'package-lock.json'), join(dir, 'node_modules/.made-from'))
  cpSync(join(dir, 'deploy/requirements.txt'), join(dir, 'run/venv/.made-from'))
  writeFileSync(join(dir, 'node_modules/.made-for'), 'flags: those of another\n')
  const build = join(dir, 'node_modules/hnswlib-node/build/Release')
  rmSync(build, { recursive: true })

  const { CXXFLAGS: _, ...env } = process.env
  const run = async () => (await promisify(execFile)(join(dir, 'deploy/setup.sh'), { env })).stdout
  t.match(await run(), /^setup: compiling the vector index for this machine's processor \(some 15 seconds\)\n$/)
  t.match(readFileSync(join(build, '.deps/Release/obj.target/addon/src/addon.o.d'), 'utf8'), '-O3 -march=native')
  execFileSync(process.execPath, ['-e', "new (require('hnswlib-node').HierarchicalNSW)('ip', 16).initIndex(1)"], { cwd: dir })
  t.equal(await run(), '', 'the second time nothing is done')
})
