// Every number that an alert looks at is told by a service, from its start on.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { startStack } from './stack.ts'

t.test('what alerts look at is told', async t => {
  const { auth, agent, rag } = await startStack(t)
  const pages = await Promise.all([auth, agent, rag].map(({ app }) => app.inject('/metrics')))
  const told = new Set(pages.flatMap(({ body }) => [...body.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name)))
  const alerts = readFileSync(join(import.meta.dirname, '../../deploy/alerts.yaml'), 'utf8')
  const rules = alerts.split(/^ +- alert: /m).slice(1)
  t.ok(rules.length > 5)
  for (const rule of rules) {
    const [name = ''] = rule.split('\n')
    const [, expression = ''] = /^ +expr: (.+)$/m.exec(rule) ?? []
    t.match(rule, /summary: "[^"]+"/, name)
    const metrics = expression.replace(/\{[^}]*\}|\bby \(\w+\)/g, '').match(/\b[a-z]+(?:_[a-z]+)+\b/g) ?? []
    for (const metric of metrics) t.ok(told.has(metric.replace(/_count$/, '')), `${name}: ${metric}`)
    t.ok(metrics.length > 0 || expression.startsWith('up{'), name)
  }
  const numbers = [
    ...pages
      .map(({ body }) => body)
      .join('\n')
      .matchAll(/^((?:rag|redis|auth)_\S+) (\S+)$/gm),
  ]
  t.ok(numbers.length >= 6)
  for (const [, name, value] of numbers) t.ok(Number.isFinite(Number(value)), `${name} ${value}`)
})
