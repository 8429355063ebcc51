// Without a model, the same question about the same documents is answered with the same bytes, now, again, and after a restart.
import t from 'tap'
import { house } from './house.ts'

const { person, replica, stopRag, startRag } = await house(t)
const ada = await person('ada')
const things = ['mill', 'well', 'ferry', 'chapel', 'orchard', 'bridge', 'quarry', 'school', 'forge', 'tower']
const places = ['Lomma', 'Arild', 'Vitemölla', 'Simrishamn', 'Brantevik']
for (const place of places) {
  const lines = things.map(
    (thing, at) =>
      `The ${thing} of ${place} was built in ${1600 + at * 7 + place.length} by the people of ${place}. It cost ${at + 3} pounds.`,
  )
  await ada.store(place, lines.join('\n'))
}
const questions = places.flatMap(place => things.map(thing => `When was the ${thing} of ${place} built, and what did it cost?`))

/** The replies, without what is new each time: ids, times and how long it took. */
async function replies(app = { inject: ada.ask }) {
  const all: string[] = []
  for (const user_request of questions) {
    const reply = (await app.inject({ user_request })).json()
    const { run_id, conversation_id, execution_time, steps, ...rest } = reply
    t.ok(run_id && conversation_id && execution_time >= 0)
    all.push(JSON.stringify({ ...rest, steps: steps.map(({ ms, ...step }: { ms: number }) => step) }))
  }
  return all
}

t.test('fifty questions, asked twice and after a restart of everything, have one answer each', async t => {
  const first = await replies()
  t.equal(first.length, 50)
  t.ok(first.every(one => one.includes('"grounded":true')))
  t.same(await replies(), first)
  await stopRag()
  await startRag()
  const { app } = await replica()
  const inject = (payload: Record<string, unknown>) =>
    app.inject({ method: 'POST', url: '/query', headers: ada.headers, payload })
  t.same(await replies({ inject }), first)
})
