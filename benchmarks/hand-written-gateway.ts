// The gateway Envoy is measured against: @fastify/http-proxy with @fastify/jwt before it, as one would write it by hand, a process of
// its own. It verifies the same tokens with the same keys and does nothing else of what the edge does.
// Arguments: the ports of auth, agent and rag, and how many verified tokens it remembers; 0, as the plugin comes, is none.
import { createPublicKey, type webcrypto } from 'node:crypto'
import proxy from '@fastify/http-proxy'
import jwt, { type TokenOrHeader } from '@fastify/jwt'
import Fastify, { type FastifyRequest } from 'fastify'
import { AUDIENCE, ISSUER, TOKEN_TYPE } from '../src/contracts/claims.ts'

const [auth, agent, rag, remembered = '0'] = process.argv.slice(2)
const { keys } = (await (await fetch(`http://127.0.0.1:${auth}/.well-known/jwks.json`)).json()) as {
  keys: (webcrypto.JsonWebKey & { kid: string })[]
}
const pems = new Map(
  keys.map(key => [key.kid, createPublicKey({ key, format: 'jwk' }).export({ type: 'spki', format: 'pem' }).toString()]),
)
const kidOf = (token: TokenOrHeader): string => ('header' in token ? token.header.kid : String(token.kid))

const app = Fastify()
await app.register(jwt, {
  secret: { public: async (_request: FastifyRequest, token: TokenOrHeader) => pems.get(kidOf(token)) ?? '' },
  decode: { complete: true },
  verify: {
    algorithms: ['EdDSA'],
    allowedIss: ISSUER,
    allowedAud: AUDIENCE,
    checkTyp: TOKEN_TYPE,
    cache: Number(remembered) || false,
  },
})
for (const [prefix, port] of [
  ['/auth', auth],
  ['/agent', agent],
  ['/rag', rag],
] as const) {
  await app.register(proxy, {
    upstream: `http://127.0.0.1:${port}`,
    prefix,
    preHandler: async request => {
      if (!/\/(health|login|register)$/.test(request.url)) await request.jwtVerify()
    },
  })
}
process.stdout.write(await app.listen({ host: '127.0.0.1', port: 0 }))
