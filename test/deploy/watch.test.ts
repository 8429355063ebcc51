import { EventEmitter, once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { PartName, PartPlan } from '../../deploy/part.ts'
import { watchSources } from '../../deploy/watch.ts'

t.test('a change starts exactly the parts again that are made from it, and one that fails waits for the next change', async t => {
  const dir = t.testdir({ auth: {}, shared: { deep: {} } })
  const plan = (name: PartName, sources: string[]): PartPlan => ({
    name,
    after: [],
    sources: sources.map(source => join(dir, source)),
    launch: () => Promise.reject(new Error('not started here')),
    ready: async () => false,
  })
  const told = new EventEmitter()
  const restarted: PartName[] = []
  let fails = true
  const end = watchSources(
    {
      plans: [plan('auth', ['auth', 'shared']), plan('rag', ['shared'])],
      async restart(name) {
        restarted.push(name)
        if (name === 'rag') told.emit('last')
        if (fails) throw new Error(`${name} stopped (exit code 1).`)
      },
    },
    sentence => told.emit('say', sentence),
  )
  t.teardown(end)

  const down = new Promise<string>(resolve => told.on('say', sentence => /stays down/.test(sentence) && resolve(sentence)))
  writeFileSync(join(dir, 'auth', 'users.ts'), 'one')
  t.match(await down, /^auth stopped .*\nauth stays down until its sources change again\.$/)
  t.same(restarted, ['auth'])

  fails = false
  const last = once(told, 'last')
  writeFileSync(join(dir, 'shared', 'deep', 'config.ts'), 'two')
  await last
  t.same(restarted, ['auth', 'auth', 'rag'])
})
