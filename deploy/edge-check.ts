// Has Envoy read every combination of files the edge ships with, as `make edge-check` does; nothing of the stack runs.
import { globSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type EnvoyValues, renderEnvoy, validateEnvoy, type Where } from './envoy.ts'
import { selfSigned } from './tls.ts'

/** Where the services may be: one for each clusters.<where>.yaml. */
function places(): Where[] {
  const files = globSync('clusters.*.yaml', { cwd: join(import.meta.dirname, '..', 'envoy') })
  return files.map(file => file.split('.')[1] as Where).toSorted()
}

/** Validates envoy.yaml with every clusters file, without and with proxies in front; gives one line for each. */
export async function checkEdge(): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'edge-check-'))
  const values: EnvoyValues = {
    GATEWAY_HOST: '127.0.0.1',
    GATEWAY_PORT: 5000,
    GATEWAY_TLS_HOST: '0.0.0.0',
    GATEWAY_TLS_PORT: 5443,
    ...(await selfSigned(folder)),
    TRUSTED_HOPS: 0,
    ADMIN_PORT: 5005,
    AUTH_HOST: '127.0.0.1',
    AUTH_PORT: 5001,
    AGENT_HOST: '127.0.0.1',
    AGENT_PORT: 5002,
    RAG_HOST: '127.0.0.1',
    RAG_PORT: 5003,
    JWKS_CACHE_S: 600,
  }
  const lines: string[] = []
  try {
    for (const where of places()) {
      const hosts = where === 'local' ? {} : { AUTH_HOST: 'auth', AGENT_HOST: 'agent', RAG_HOST: 'rag' }
      for (const TRUSTED_HOPS of [0, 1]) {
        await validateEnvoy(await renderEnvoy({ ...values, ...hosts, TRUSTED_HOPS }, folder, where))
        lines.push(`envoy.yaml + clusters.${where}.yaml, ${TRUSTED_HOPS} trusted hops: OK`)
      }
    }
    return lines
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
