// The README is run: its shell block against a real stack, its make targets and its links against the checkout.
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { startStack } from '../../deploy/stack.ts'

const run = promisify(execFile)
const root = resolve(import.meta.dirname, '../..')
const readme = readFileSync(join(root, 'README.md'), 'utf8')

t.test('every make target it names is there, and every link leads somewhere', async t => {
  const makefile = readFileSync(join(root, 'Makefile'), 'utf8')
  const targets = [...readme.matchAll(/`make ([a-z-]+)`|^make ([a-z-]+)$/gm)].map(([, a, b]) => a ?? b ?? '')
  t.ok(targets.length > 5)
  for (const target of targets) t.match(makefile, new RegExp(`^${target}:`, 'm'), target)
  for (const [, path = ''] of readme.matchAll(/\]\(([^)#]+)\)/g)) t.ok(existsSync(join(root, path)), path)
})

t.test('its quick start does what it says', async t => {
  const dir = await mkdtemp(join(tmpdir(), 'readme-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  const stack = await startStack({ dir })
  t.teardown(() => stack.stop())
  const blocks = (language: string) =>
    [...readme.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(([, block = '']) =>
      block.replaceAll('http://localhost:5000', stack.url),
    )
  // The program is started from the same shell, as a reader would.
  const [program = ''] = blocks('js')
  await writeFile(join(dir, 'ask.mjs'), program)
  await symlink(join(root, 'node_modules'), join(dir, 'node_modules'))
  const script = `set -e\n${blocks('sh').join('')}echo; ${JSON.stringify(process.execPath)} ask.mjs`
  const { stdout } = await run('sh', ['-c', script], { cwd: dir, timeout: 60_000 })
  const [, shown = ''] = /"final_response": "([^"]*)"/.exec(readme) ?? []
  const lines = stdout.trim().split('\n')
  const answer = JSON.parse(lines.at(-2)?.replace(/^.*?(?=\{"run_id")/, '') ?? '')
  t.match(answer, { final_response: shown, grounded: true })
  t.match(answer.citations[0], { title: 'village.txt', start_byte: 0, end_byte: 55 })

  t.equal(lines.at(-1), /console\.log.*\/\/ (.*)/.exec(program)?.[1])
})
