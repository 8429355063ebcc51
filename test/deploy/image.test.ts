import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { renderEnvoy, validateEnvoy } from '../../deploy/envoy.ts'
import { serviceConfigs } from '../../deploy/services.ts'
import { selfSigned } from '../../deploy/tls.ts'

const root = join(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const compose = read('deploy/compose.yaml')
/** What stands under one service of the compose file. */
const section = (name: string) => new RegExp(`^ {2}${name}:\\n((?: {4}.*\\n|\\n)+)`, 'm').exec(compose)?.[1] ?? ''

t.test('every path the image copies is in the checkout and passes .dockerignore', async t => {
  const ignored = read('.dockerignore').split('\n')
  const copied = [...read('deploy/Dockerfile').matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, paths = '']) =>
    paths.split(' '),
  )
  t.ok(copied.includes('src'))
  for (const path of copied) t.ok(existsSync(join(root, path)) && ignored.includes(`!${path}`), path)
})

t.test('the edge renders from what compose gives it, and Envoy accepts the result', async t => {
  const given = [...section('edge-config').matchAll(/^ {6}([A-Z_]+): (.+)$/gm)].map(([, name = '', value = '']) => [
    name,
    value.replace(/^\$\{\w+:-(.*)\}$/, '$1'),
  ])
  const dir = t.testdir()
  // The certificate is there only in the container.
  await validateEnvoy(await renderEnvoy({ ...Object.fromEntries(given), ...(await selfSigned(dir)) }, dir, 'compose'))
  const there = ['TLS_CERTIFICATE', 'TLS_KEY'].map(name => Object.fromEntries(given)[name].replace('/run/secrets/', ''))
  for (const secret of there) t.match(section('edge'), new RegExp(`secrets: .*${secret}`))
})

t.test('compose hands the signing secrets to auth alone and publishes the edge alone', async t => {
  const services = ['redis', 'auth', 'agent', 'rag', 'edge-config', 'edge']
  for (const name of services) t.ok(section(name).length > 0, name)
  t.same(
    services.filter(name => /secret_key/i.test(section(name))),
    ['auth'],
  )
  t.same(
    services.filter(name => /ports:/.test(section(name))),
    ['edge'],
  )
})

const variables = (text: string, indent: number) =>
  [...text.matchAll(new RegExp(`^ {${indent}}([A-Z][A-Z0-9_]+):(.*)$`, 'gm'))].map(
    ([, name = '', value = '']) => [name, value] as const,
  )
/** What all services are given, then what one of them is. */
const shared = variables(/^x-environment:.*\n((?: {2}.*\n)+)/m.exec(compose)?.[1] ?? '', 2)
const given = (service: string) => new Map([...shared, ...variables(section(service), 6)])

t.test('every variable compose sets for a service is one that service reads', async t => {
  t.ok(shared.some(([name]) => name === 'REDIS_URL'))
  for (const [service, { properties }] of Object.entries(serviceConfigs))
    for (const name of given(service).keys()) t.ok(name in properties, `${service}: ${name}`)
})

/** Decided by the image and the compose file, whatever .env says: production, who is where, and the folders inside. */
const decided =
  `NODE_ENV HOST AUTH_SERVICE_PORT AGENT_SERVICE_PORT RAG_SERVICE_PORT AUTH_SERVICE_URL AGENT_SERVICE_URL RAG_SERVICE_URL REDIS_URL
  REDIS_HOST REDIS_PORT TRUSTED_PROXIES AUDIT_DIR RAG_DATA_DIR RAG_MODELS_DIR GATEWAY_HOST GATEWAY_TLS_HOST GATEWAY_ADMIN_PORT`.split(
    /\s+/,
  )

t.test('every variable a person may set reaches each service that reads it', async t => {
  const listed = [...read('deploy/env.example').matchAll(/^#([A-Z0-9_]+)=/gm)].map(([, name = '']) => name)
  t.same(
    decided.filter(name => !listed.includes(name)),
    [],
  )
  for (const name of listed.filter(name => !decided.includes(name))) {
    const readers = Object.entries(serviceConfigs).filter(([, { properties }]) => name in properties)
    for (const [service] of readers) {
      const mounted = section(service).includes(`${name}=$$(cat /run/secrets/${name.toLowerCase()})`)
      t.ok(mounted || given(service).get(name)?.includes(`\${${name}:-`), `${service}: ${name}`)
    }
    if (readers.length === 0) t.match(compose, new RegExp(`\\$\\{${name}[:}]`), name)
  }
  const built = [...read('deploy/Dockerfile').matchAll(/^ARG (\w+)$/gm)].map(([, name = '']) => name)
  t.same(
    built,
    [...(/args: \{(.*)\}/.exec(compose)?.[1] ?? '').matchAll(/(\w+): "\$\{\1:-\}"/g)].map(([, name]) => name),
  )
  t.ok(built.includes('HF_ENDPOINT'))
})
