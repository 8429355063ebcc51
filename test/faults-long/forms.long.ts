import t from 'tap'
import { brokenOff, leftBehind, malformed } from '../rag/forms.ts'
import { house, listening } from '../rag/house.ts'

t.test('two hundred malformed forms and a thousand uploads that break off leave nothing and stop nobody', async t => {
  const { app, person, dataDir } = await house(t)
  const ann = await person('ann')
  const sender = { port: await listening(app), authorization: ann.headers.authorization }
  for await (const { body, reply } of malformed(sender, 200))
    t.match(reply, /^HTTP\/1\.1 (200|202|400|413|415|422) /, JSON.stringify(body.toString('latin1')))
  await brokenOff(sender, dataDir, 1000)
  t.match(await ann.has('after.txt', 'It still takes documents in.'), { state: 'ready' })
  // The last connections may be closed before the service has heard of it; a file that stays keeps the test from ending.
  while ((await leftBehind(dataDir)).length > 0) await new Promise(setImmediate)
  t.equal((await app.inject('/health')).statusCode, 200)
})
