// The calculator is exact, knows arithmetic and nothing else, and holds nobody up; the clock knows the zones of the world.
import t from 'tap'
import { openCalculator } from '../../src/agent/tools/calculator.ts'
import { currentTime } from '../../src/agent/tools/clock.ts'

const { tool, close } = openCalculator()
t.teardown(close)
const context = { asker: { authorization: '', address: '' }, user_id: 'u', request_id: 'r', signal: new AbortController().signal }
const calculated = async (expression: string) => (await tool.run({ expression }, context)).text

t.test('results are exact to many digits', async t => {
  for (const [expression, result] of [
    ['2 + 2 * 3', '8'],
    ['0.1 + 0.2', '0.3'],
    ['2^100', '1267650600228229401496703205376'],
    ['sqrt(2)^2', '2'],
    ['round(1234.5678, 2)', '1234.57'],
    ['18 % 5', '3'],
    ['mean([1, 2, 6])', '3'],
    ['5 km to mile', /^3\.1068/],
    ['1 > 2 ? 3 : 4', '4'],
    ['12 kg * 3', '36 kg'],
    ['1/0', 'Infinity'],
    ['sin(pi / 2)', '1'],
  ] as const) {
    const got = await calculated(expression)
    if (typeof result === 'string') t.equal(got, result, expression)
    else t.match(got, result, expression)
  }
})

t.test('whatever is not arithmetic is refused before it is worked out', async t => {
  for (const expression of [
    'x = 3',
    'f(x) = x^2',
    'import({ a: 1 })',
    'createUnit("beep")',
    'evaluate("1 + 1")',
    'parse("1")',
    'simplify("x + x")',
    'derivative("x^2", "x")',
    'config({ number: "number" })',
    'help(sqrt)',
    'typed("f", {})',
    'cos.constructor("return process")()',
    '[].constructor',
    '{ a: 1 }',
    '"text"',
    'format("a")',
    'sqrt',
    'process',
    '1; 2',
    '1:10',
    '[1, 2][1]',
    "[1, 2]'",
    'compile("1")',
    'chain(3)',
    'random()',
    'abs.toString()',
    'toString',
    'constructor',
    '__proto__',
    '(abs)(3)("x")',
    '1 +',
  ]) {
    await t.rejects(calculated(expression), { code: 'invalid_request' }, expression)
  }
  t.equal(await calculated('6 * 7'), '42')
})

t.test('a calculation without end is ended, others wait for their turn, and this thread goes on', async t => {
  let turns = 0
  const counting = setInterval(() => turns++, 5)
  const long = t.rejects(calculated('factorial(factorial(factorial(9)))'), {
    code: 'invalid_request',
    message: /too much time or memory/,
  })
  const after = Promise.all(['1 + 1', '2 + 2'].map(calculated))
  await long
  t.same(await after, ['2', '4'])
  clearInterval(counting)
  t.ok(turns > 20, `${turns} turns of the event loop meanwhile`)
})

t.test('arguments are held to their schema', async t => {
  for (const given of [
    {},
    { expression: '' },
    { expression: '1'.repeat(501) },
    { expression: 1 },
    { expression: '1', more: 1 },
    null,
    '1',
  ])
    await t.rejects(tool.run(given, context), { code: 'invalid_request' }, JSON.stringify(given))
})

t.test('one who has left is not calculated for, and too many at once are sent away', async t => {
  await t.rejects(tool.run({ expression: '1' }, { ...context, signal: AbortSignal.abort() }), { code: 'invalid_request' })
  const all = await Promise.allSettled(Array.from({ length: 60 }, () => calculated('1')))
  t.equal(all.filter(({ status }) => status === 'fulfilled').length, 50)
  t.match(
    all.find(({ status }) => status === 'rejected'),
    { reason: { code: 'unavailable' } },
  )
})

t.test('the time is told in the zone that is named', async t => {
  const told = async (given: object) => (await currentTime.run(given, context)).structured as { time: string; weekday: string }
  const before = Date.now()
  const [here, there] = [await told({}), await told({ time_zone: 'Asia/Kathmandu' })]
  t.match(here.time, /\+00:00$/)
  t.match(there.time, /\+05:45$/)
  for (const { time } of [here, there]) t.ok(Math.abs(Date.parse(time) - before) < 60_000, time)
  t.match(here.weekday, /day$/)
  for (const time_zone of ['Mars/Olympus', '', '../../etc', 'Europe/Stockholm\n'])
    await t.rejects(currentTime.run({ time_zone }, context), { code: 'invalid_request' }, time_zone)
})
