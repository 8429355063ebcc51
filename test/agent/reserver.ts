// A process that reserves tokens of one user many times at once, says how many reservations it got, and holds them until it is killed.
import Fastify from 'fastify'
import Type from 'typebox'
import { openBudget } from '../../src/agent/budget.ts'
import { loadConfig, type SharedConfig, shared } from '../../src/platform/config.ts'
import { registerRedis } from '../../src/platform/redis.ts'

const { REDIS_URL = '', USER = '', TIMES = '', TOKENS = '', BUDGET = '', LEASE_MS = '' } = process.env
const app = Fastify()
await registerRedis(app, loadConfig(Type.Object(shared), { REDIS_URL }) as SharedConfig)
const budget = openBudget(app.redis, { tokensMax: Number(BUDGET), leaseMs: Number(LEASE_MS) })
const asked = await Promise.allSettled(Array.from({ length: Number(TIMES) }, () => budget.reserve(USER, Number(TOKENS))))
process.stdout.write(`${asked.filter(({ status }) => status === 'fulfilled').length}\n`)
