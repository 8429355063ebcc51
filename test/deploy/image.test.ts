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

t.test('every variable compose sets for a service is one that service reads', async t => {
  const shared = [...(/^x-environment:.*\n((?: {2}.*\n)+)/m.exec(compose)?.[1] ?? '').matchAll(/^ {2}([A-Z_]+):/gm)].map(
    ([, name = '']) => name,
  )
  t.ok(shared.includes('REDIS_URL'))
  for (const [service, { properties }] of Object.entries(serviceConfigs)) {
    const own = [...section(service).matchAll(/^ {6}([A-Z_]+):/gm)].map(([, name = '']) => name)
    for (const name of [...shared, ...own]) t.ok(name in properties, `${service}: ${name}`)
  }
})
