import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { openLanes } from '../../src/rag/lanes.ts'
import { chunkOf, direction, folder, lanesFor, options, skip } from './lanes.ts'

t.test('absent weights, wrong weights, an unknown model and too large chunks are each refused with a sentence', async t => {
  const modelsDir = mkdtempSync(join(tmpdir(), 'models-'))
  t.teardown(() => rmSync(modelsDir, { recursive: true, force: true }))
  await t.rejects(openLanes({ ...options, modelsDir }), { message: /^There are no weights at .*make setup$/ })
  mkdirSync(join(modelsDir, options.model, 'onnx'), { recursive: true })
  writeFileSync(join(modelsDir, options.model, 'onnx/model_quantized.onnx'), 'something else')
  await t.rejects(openLanes({ ...options, modelsDir }), { message: /are not those of Xenova\/all-MiniLM-L6-v2/ })
  await t.rejects(openLanes({ ...options, model: 'someone/unknown' }), { message: /choose one of Xenova\/all-MiniLM-L6-v2/ })
  await t.rejects(openLanes({ ...options, chunkTokens: 257 }), { message: /reads at most 256 tokens/ })
})

t.test('lanes', { skip }, async t => {
  const lanes = await lanesFor(t)

  t.test('vectors have unit length, and the same text gives the same vector whatever stands beside it', async t => {
    const texts = ['The ferry leaves at dawn.', 'Barley.', '水坝建于一九五三年', '', 'word '.repeat(3000)]
    const vectors = await lanes.embedPassages(texts)
    t.equal(vectors.length, texts.length * lanes.model.dimensions)
    for (const [i, text] of texts.entries()) {
      const row = vectors.subarray(i * lanes.model.dimensions, (i + 1) * lanes.model.dimensions)
      t.ok(Math.abs(Math.hypot(...row) - 1) < 1e-5, text.slice(0, 20))
      t.same(await lanes.embedPassages([text]), row)
    }
  })

  t.test('a model is familiar with plain English, less with rare words, and not at all with other scripts', async t => {
    const familiarity = async (question: string) => (await lanes.embedQuery(question)).familiarity
    t.ok((await familiarity('Where is the oil kept?')) > 0.9)
    const rare = await familiarity('nattokinase polyphenol deoxyguanosine')
    t.ok(rare > 0 && rare < 0.5, String(rare))
    t.equal(await familiarity('متى بني السد؟'), 0)
    t.equal(await familiarity('水坝建于何时'), 0)
    t.equal(await familiarity('12 34'), 1)
    t.equal(await familiarity('?'), 1)
  })

  t.test('a passage waits for a question that is under way, a question for none', async t => {
    const asking = new Int32Array(new SharedArrayBuffer(4))
    const polite = await lanesFor(t, { asking })
    asking[0] = 1
    let woken = 0
    const embedding = polite.embedPassages(['barley']).then(() => 'embedded')
    while (woken === 0 && (await Promise.race([embedding, pause(1)])) !== 'embedded') woken += Atomics.notify(asking, 0)
    t.equal(woken, 1)
    await embedding
    let held = 0
    const question = polite.embedQuery('barley').then(() => 'answered')
    while ((await Promise.race([question, pause(1)])) !== 'answered') held += Atomics.notify(asking, 0)
    t.equal(held, 0)
  })

  t.test('every thread that embeds documents yields, however many there are', { skip: process.platform !== 'linux' }, async t => {
    /** Threads of this process with a priority of their own: what follows the name, of which the 17th is the niceness (proc(5)). */
    const yielding = () =>
      readdirSync('/proc/self/task').filter(id => {
        const [, rest = ''] = readFileSync(`/proc/self/task/${id}/stat`, 'utf8').split(/\) (?=\w )/)
        return Number(rest.split(' ')[16]) > 0
      }).length
    const before = yielding()
    await lanesFor(t, { embedThreads: 3 })
    // One more counts tokens.
    while (yielding() < before + 4) await pause(10)
    t.pass()
  })

  t.test('questions beyond what may wait are refused at once, the others are answered', async t => {
    const asked = await Promise.allSettled(Array.from({ length: 400 }, () => lanes.embedQuery('oil')))
    const refused = asked.filter(one => one.status === 'rejected')
    t.ok(refused.length > 0 && refused.length < 200, String(refused.length))
    t.ok(refused.every(({ reason }) => reason.code === 'unavailable'))
  })

  t.test('who asks a lane first is answered first, however many wait', async t => {
    const { dir } = folder(t)
    const answered: number[] = []
    await Promise.all(Array.from({ length: 100 }, async (_, i) => void answered.push(await lanes.index(dir).then(() => i))))
    t.same(answered, Array.from(answered.keys()))
  })

  t.test('closing lets what is under way finish and refuses what comes after', async t => {
    const own = await lanesFor(t)
    const under = own.embedPassages(['The ferry leaves at dawn.'])
    await own.close()
    t.equal((await under).length, own.model.dimensions)
    t.notOk(own.ready())
    await t.rejects(own.embedPassages(['late']))
  })

  t.test('above a size the vectors move into a graph between searches, which finds the same and is kept on disk', async t => {
    const own = await lanesFor(t, { exactMax: 200 })
    const { dir } = folder(t)
    const texts = Array.from({ length: 300 }, (_, i) => `Barrel ${i} holds ${i * 7} litres of oil`)
    const vectors = Float32Array.from(texts.flatMap((_, i) => direction(i)))
    await own.write.append(dir, 'a', 'v', texts.map(chunkOf), vectors)
    await own.write.publish(dir, 'a', 'v')
    const find = (i: number) =>
      own.find({ dir, question: '', vector: Float32Array.from(direction(i)), weight: 1, limit: 5, min_score: 0 })
    const before = await Promise.all(texts.map((_, i) => find(i)))
    t.same(
      before.map(([hit]) => hit?.content),
      texts,
    )
    // The graph's header is written last.
    while (!existsSync(join(dir, 'vectors.json'))) await find(0)
    const after = await Promise.all(texts.map((_, i) => find(i)))
    t.same(
      after.map(hits => hits.map(({ content }) => content)),
      before.map(hits => hits.map(({ content }) => content)),
    )
  })
})
