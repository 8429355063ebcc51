import { createInterface } from 'node:readline'
import { PassThrough } from 'node:stream'
import t from 'tap'
import { lineOf } from '../../src/platform/lines.ts'

t.test('a message is one line for whoever cuts, whatever ends a line in it', async t => {
  const messages = ['plain', { text: 'a\u2028b\u2029c\r\nd\re\u0085f' }, '\u2028']
  const input = new PassThrough()
  for (const one of messages) input.write(lineOf(one))
  input.end()
  const lines = await Array.fromAsync(createInterface({ input }))
  t.same(
    lines.map(line => JSON.parse(line)),
    messages,
  )
})
