import { X509Certificate } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import t from 'tap'
import { checkEdge } from '../../deploy/edge-check.ts'
import type { Settings } from '../../deploy/environment.ts'
import { type EnvoyValues, renderEnvoy, substitute, validateEnvoy } from '../../deploy/envoy.ts'
import { freePorts } from '../../deploy/ports.ts'
import { selfSigned, tlsPair } from '../../deploy/tls.ts'

/** A placeholder as it stands in the files. */
const asking = (name: string) => `\${${name}}`

const ports = await freePorts({})
const values: EnvoyValues = {
  GATEWAY_HOST: '127.0.0.1',
  GATEWAY_PORT: ports.gateway,
  GATEWAY_TLS_HOST: '127.0.0.1',
  GATEWAY_TLS_PORT: ports.tls,
  ...(await selfSigned(t.testdir())),
  TRUSTED_HOPS: 0,
  ADMIN_PORT: ports.admin,
  AUTH_HOST: '127.0.0.1',
  AUTH_PORT: ports.auth,
  AGENT_HOST: '127.0.0.1',
  AGENT_PORT: ports.agent,
  RAG_HOST: '127.0.0.1',
  RAG_PORT: ports.rag,
  JWKS_CACHE_S: 600,
}

t.test('a placeholder outside the closed list stops the rendering and is named', async t => {
  t.throws(() => substitute(`port: ${asking('PATH')}`, values, 'x.yaml'), {
    message: /^x\.yaml cannot be rendered: \$\{PATH\} is not one of GATEWAY_HOST/,
  })
})

t.test('a placeholder without a value stops the rendering, all of them in one message', async t => {
  const { AUTH_PORT, RAG_HOST, ...rest } = values
  t.throws(() => substitute(['AUTH_PORT', 'RAG_HOST', 'GATEWAY_PORT'].map(asking).join(' '), rest, 'x.yaml'), {
    message: `x.yaml cannot be rendered: ${asking('AUTH_PORT')} has no value; ${asking('RAG_HOST')} has no value.`,
  })
  t.throws(() => substitute(asking('AUTH_PORT'), { ...values, AUTH_PORT: '' }, 'x.yaml'), /has no value/)
})

t.test('a value that would change the YAML around it is refused', async t => {
  for (const value of ['a b', '1 }', 'x\ny: z', '"']) {
    t.throws(() => substitute(asking('AUTH_HOST'), { ...values, AUTH_HOST: value }, 'x.yaml'), /neither a host nor a number/)
  }
})

t.test('a comment may speak of placeholders', async t => {
  const comment = `# every ${asking('NAME')}`
  t.equal(substitute(`${comment}\nport: ${asking('AUTH_PORT')}`, values, 'x.yaml'), `${comment}\nport: ${ports.auth}`)
})

t.test('a path may hold what paths hold, and nothing that ends its quotes', async t => {
  const placeholder = asking('TLS_KEY')
  t.equal(substitute(`"${placeholder}"`, { ...values, TLS_KEY: '/a b/ü/key.pem' }, 'x.yaml'), '"/a b/ü/key.pem"')
  for (const path of ['key.pem', '/a"b', '/a\\b', '/a\nb'])
    t.throws(() => substitute(placeholder, { ...values, TLS_KEY: path }, 'x.yaml'), /is not an absolute path/)
})

t.test('Envoy accepts every combination that ships, and refuses what it cannot read', async t => {
  t.strictSame(await checkEdge(), [
    'envoy.yaml + clusters.compose.yaml, 0 trusted hops: OK',
    'envoy.yaml + clusters.compose.yaml, 1 trusted hops: OK',
    'envoy.yaml + clusters.local.yaml, 0 trusted hops: OK',
    'envoy.yaml + clusters.local.yaml, 1 trusted hops: OK',
  ])
  const dir = t.testdir()
  const refused = async (wrong: Partial<EnvoyValues>) => validateEnvoy(await renderEnvoy({ ...values, ...wrong }, dir))
  await t.rejects(refused({ TRUSTED_HOPS: 'many' }), { message: /^Envoy refuses its configuration: / })
  await t.rejects(refused({ TLS_CERTIFICATE: '/nowhere.pem' }), { message: /nowhere\.pem/ })
})

t.test('a pair is made once while developing, and in production it must be named', async t => {
  const dir = t.testdir()
  const made = await tlsPair(dir, {})
  t.match(made, { TLS_CERTIFICATE: `${dir}/run/tls/certificate.pem`, TLS_KEY: `${dir}/run/tls/key.pem` })
  const { subjectAltName, publicKey } = new X509Certificate(await readFile(made.TLS_CERTIFICATE))
  t.match(
    [subjectAltName, publicKey.asymmetricKeyDetails],
    [/DNS:localhost, IP Address:127\.0\.0\.1/, { namedCurve: 'prime256v1' }],
  )
  t.equal((await stat(made.TLS_KEY)).mode & 0o077, 0)
  const before = await readFile(made.TLS_CERTIFICATE)
  await tlsPair(dir, {})
  t.strictSame(await readFile(made.TLS_CERTIFICATE), before)

  const named = { TLS_CERTIFICATE: 'a.pem', TLS_KEY: '/b.pem', NODE_ENV: 'production' }
  t.strictSame(await tlsPair(dir, named), { TLS_CERTIFICATE: `${dir}/a.pem`, TLS_KEY: '/b.pem' })
  for (const wrong of [{ NODE_ENV: 'production' }, { TLS_KEY: '/b.pem' }, { TLS_CERTIFICATE: '/a.pem' }] as Settings[])
    await t.rejects(tlsPair(dir, wrong), { message: /^TLS_CERTIFICATE and TLS_KEY must name/ })
})
