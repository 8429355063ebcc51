// A token that was verified is remembered; what may change about it is asked anew at every request.
import { createPublicKey } from 'node:crypto'
import t from 'tap'
import Type from 'typebox'
import { loadConfig, shared } from '../../src/platform/config.ts'
import { buildService } from '../../src/platform/service.ts'
import { asking, house, until } from '../auth/house.ts'
import { claimsOf, headerOf, sealed, signingKey } from '../auth/signing.ts'

const { app: auth, env, person } = await house(t)
const ada = await person('ada')
const signing = await signingKey(auth.redis, env.JWT_SECRET_KEY)
const published = new Set([signing.kid])
const pem = createPublicKey(signing.privateKey).export({ type: 'spki', format: 'pem' }).toString()
const app = await buildService({
  name: 'agent',
  config: loadConfig(Type.Object(shared), env),
  keys: () => ({
    publicKey: async kid => (published.has(kid) ? pem : undefined),
    genuine: async () => false,
    close: () => {},
  }),
  plugin: async app => {
    app.get('/who', { config: { access: 'authenticated' } }, ({ caller }) => caller)
  },
})
t.teardown(() => app.close())
const who = (token: string) => asking(app, { authorization: `Bearer ${token}` })('GET', '/who')

t.test('it is refused once the key that signed it is published no more', async t => {
  t.equal((await who(ada.token)).status, 200)
  published.clear()
  t.match(await who(ada.token), { status: 401, body: { code: 'unauthenticated' } })
  published.add(signing.kid)
  t.equal((await who(ada.token)).status, 200)
})

t.test('it is refused once it has expired', async t => {
  const now = Math.floor(Date.now() / 1000)
  const token = sealed(signing, headerOf(signing), { ...claimsOf(ada.token), iat: now, exp: now + 2 })
  t.match(await who(token), { status: 200, body: { user_id: ada.user_id, expires: now + 2 } })
  await until(async () => (await who(token)).status !== 200)
  t.match(await who(token), { status: 401, body: { code: 'token_expired' } })
})

t.test('another signature under the same words is not it', async t => {
  const [head, words, signature = ''] = ada.token.split('.')
  t.equal((await who(ada.token)).status, 200)
  const turned = signature.startsWith('A') ? `B${signature.slice(1)}` : `A${signature.slice(1)}`
  t.equal((await who(`${head}.${words}.${turned}`)).status, 401)
})
