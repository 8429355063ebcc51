import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import t from 'tap'
import { type EnvoyValues, envoyCommand, renderEnvoy, substitute } from '../../deploy/envoy.ts'
import { freePorts } from '../../deploy/ports.ts'

/** A placeholder as it stands in the files. */
const asking = (name: string) => `\${${name}}`

const ports = await freePorts({})
const values: EnvoyValues = {
  GATEWAY_HOST: '127.0.0.1',
  GATEWAY_PORT: ports.gateway,
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

for (const where of ['local', 'compose'] as const) {
  t.test(`Envoy accepts the rendered files, clusters.${where}.yaml`, async t => {
    const hosts = where === 'local' ? {} : { AUTH_HOST: 'auth', AGENT_HOST: 'agent', RAG_HOST: 'rag' }
    const rendered = await renderEnvoy({ ...values, ...hosts }, t.testdir(), where)
    t.match(await readFile(rendered.config, 'utf8'), `port_value: ${ports.gateway}`)
    const { command, args } = await envoyCommand(rendered)
    const { stdout } = await promisify(execFile)(command, [...args, '--mode', 'validate'])
    t.match(stdout, 'OK')
  })
}
