// A real Envoy in front of three upstreams that note what reaches them and answer as a test tells them. What is under test here is the
// edge alone: no service of ours runs.
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import type { Test } from 'tap'
import { AUDIENCE, ISSUER, TOKEN_TYPE } from '../../src/contracts/claims.ts'
import { type Asked, type EnvoyOptions, type Reply, type RunningEnvoy, type Service, startEnvoy } from './envoy.ts'
import { type Noted, startUpstream, type Upstream } from './upstream.ts'

/** An API key of the shape auth gives out; the edge lets it through to the service's own check. */
export const API_KEY = `ak_${'0123456789abcdef'.repeat(3)}${'A'.repeat(43)}`

export interface Edge extends RunningEnvoy, Record<Service, Upstream> {
  /** The same with a valid user's token. */
  askAs(role: string, path: string, options?: Asked): Promise<Reply>
  /** A token of the published key; every claim can be replaced, `undefined` leaves one out. */
  token(claims?: JWTPayload): Promise<string>
  /** What reached any service since the last time this was asked. */
  heard(): (Noted & { service: Service })[]
}

export interface EdgeOptions extends EnvoyOptions {
  /** Auth listens only once the test starts it. */
  authAway?: true
}

/** Starts upstreams and Envoy, ready to serve; all of it ends with the test. */
export async function startEdge(t: Test, { authAway, ...options }: EdgeOptions = {}): Promise<Edge> {
  const { privateKey, publicKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519' })
  const [auth, agent, rag] = [await startUpstream(), await startUpstream(), await startUpstream()]
  t.teardown(() => Promise.all([auth.stop(), agent.stop(), rag.stop()]))
  auth.keys = [{ ...(await exportJWK(publicKey)), kid: 'k1', alg: 'EdDSA', use: 'sig' }]
  if (authAway) await auth.stop()
  const envoy = await startEnvoy(t, { auth: auth.port, agent: agent.port, rag: rag.port }, options)

  const token = (claims: JWTPayload = {}) => {
    const now = Math.floor(Date.now() / 1000)
    const usual = {
      iss: ISSUER,
      aud: AUDIENCE,
      sub: 'a'.repeat(32),
      sid: 'b'.repeat(32),
      jti: 'c',
      role: 'user',
      iat: now,
      exp: now + 900,
    }
    return new SignJWT({ ...usual, ...claims }).setProtectedHeader({ alg: 'EdDSA', kid: 'k1', typ: TOKEN_TYPE }).sign(privateKey)
  }
  return {
    ...envoy,
    auth,
    agent,
    rag,
    askAs: async (role, path, asked = {}) =>
      envoy.ask(path, { ...asked, headers: { authorization: `Bearer ${await token({ role })}`, ...asked.headers } }),
    token,
    heard: () =>
      Object.entries({ auth, agent, rag }).flatMap(([service, { noted }]) =>
        noted.splice(0).map(one => ({ service: service as Service, ...one })),
      ),
  }
}
