// A folder with ports of its own in `.env`, and the command line of the stack in it, as a person in a terminal has them.
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { livingPid } from '../../deploy/pids.ts'
import { freePorts } from '../../deploy/ports.ts'
import { pidsOf } from '../../deploy/stack.ts'

export const main = join(import.meta.dirname, '../../deploy/main.ts')
/** Everything that leaves a pid file: the process in charge and the parts. */
export const PARTS = ['stack', 'redis', 'auth', 'agent', 'rag', 'envoy']

/** Makes the folder, with `more` in its `.env`; whatever still runs in it ends with the test. */
export async function folder(t: Test, more: Record<string, string> = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'stack-'))
  const { gateway, tls, admin, auth, agent, rag, redis } = await freePorts({})
  const ports = {
    GATEWAY_PORT: gateway,
    GATEWAY_TLS_PORT: tls,
    GATEWAY_ADMIN_PORT: admin,
    AUTH_SERVICE_PORT: auth,
    AGENT_SERVICE_PORT: agent,
    RAG_SERVICE_PORT: rag,
    REDIS_PORT: redis,
    ...more,
  }
  writeFileSync(
    join(dir, '.env'),
    Object.entries(ports)
      .map(([name, port]) => `${name}=${port}\n`)
      .join(''),
  )
  const env = { PATH: process.env.PATH }
  const run = async (command: string, more: Record<string, string> = {}) => {
    const options = { cwd: dir, env: { ...env, ...more } }
    const ended = promisify(execFile)(process.execPath, [main, command], options).then(output => ({ code: 0, ...output }))
    return (await ended.catch(error => error)) as { code: number; stdout: string; stderr: string }
  }
  t.teardown(async () => {
    await run('stop')
    rmSync(dir, { recursive: true, force: true })
  })
  return {
    dir,
    env,
    run,
    url: `http://${more.GATEWAY_HOST ?? '127.0.0.1'}:${gateway}`,
    pids: () => PARTS.map(name => livingPid(pidsOf(dir), name)),
  }
}
