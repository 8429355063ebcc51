// Redis or auth can die at any moment; what was begun then is done wholly or not at all.
import t from 'tap'
import { privateRedis } from '../support/redis.ts'
import { password } from '../support/services.ts'
import { house, type Person, until } from './house.ts'
import { wayTo } from './way.ts'

const redis = await privateRedis(t)
const way = await wayTo(t, redis.port)
const { app, ask, person } = await house(t, { REDIS_URL: way.url }, redis)

/** Has `act` broken off after no message to Redis, after one, after two, until it is done, and each time has `look` look at what it left. */
async function brokenOff(
  act: (ada: Person) => Promise<{ status: number }>,
  look: (ada: Person, other: Person) => Promise<unknown>,
) {
  for (let messages = 0, done = false; !done; messages++) {
    const [ada, other] = [await person(`${act.name}${messages}`), await person(`${act.name}${messages}`)]
    way.breakAfter(messages)
    done = (await act(ada)).status === 204
    way.mend()
    await until(async () => (await app.inject('/ready')).statusCode === 200)
    await look(ada, other)
  }
}
const lives = async ({ ask }: Person) => (await ask('GET', '/me')).status === 200

t.test('a change of the password ends the other sessions, or nothing is changed', async t => {
  const next = 'another password'
  const change = ({ ask }: Person) => ask('PUT', '/me/password', { current_password: password, new_password: next })
  await brokenOff(change, async (ada, other) => {
    const { username } = (await ada.ask('GET', '/me')).body
    const changed = (await ask('POST', '/login', { username, password: next })).status === 200
    t.equal(await lives(other), !changed, `${username}: ${changed ? 'changed' : 'not changed'}`)
  })
})

t.test('of all sessions every one ends, or none does', async t => {
  const end = ({ ask }: Person) => ask('DELETE', '/sessions')
  await brokenOff(end, async (ada, other) => t.equal(await lives(ada), await lives(other)))
})
