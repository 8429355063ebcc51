// The only reader of the environment. One schema per service, parsed once, frozen, handed on as an argument; a wrong value stops
// the process with every fault in one message.
import Type, { type Static, type TObject } from 'typebox'
import Value from 'typebox/value'
import { withNumbers } from './validation.ts'

const Port = (port: number) => Type.Integer({ minimum: 0, maximum: 65535, default: port })
const PerWindow = (count: number) => Type.Integer({ minimum: 0, default: count })
/** A list in one variable, `a,b,c`; empty means none. */
const List = (initial = '') => Type.String({ default: initial })

/** What every service understands; a service's own schema is spread beside it. */
export const shared = {
  NODE_ENV: Type.Enum(['development', 'production', 'test'], { default: 'development' }),
  HOST: Type.String({ default: '127.0.0.1' }),
  LOG_LEVEL: Type.Enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], { default: 'info' }),
  REDIS_URL: Type.Optional(Type.String({ pattern: '^rediss?://' })),
  REDIS_HOST: Type.String({ default: '127.0.0.1' }),
  REDIS_PORT: Port(6379),
  /** Seconds for which `/ready` says 503 before the service stops listening; two probes of the edge fit in it. */
  STOP_NOTICE_S: Type.Integer({ minimum: 0, maximum: 5, default: 4 }),
  CORS_ORIGINS: List(),
  TRUSTED_PROXIES: List('127.0.0.1,::1'),
  LIMIT_CALLER_PER_MIN: PerWindow(600),
  LIMIT_UPLOAD_PER_MIN: PerWindow(120),
  LIMIT_ADDRESS_PER_MIN: PerWindow(60),
  LIMIT_REGISTER_PER_5MIN: PerWindow(5),
  LIMIT_LOGIN_PER_MIN: PerWindow(10),
  LIMIT_LOGIN_ACCOUNT_PER_MIN: PerWindow(10),
  LIMIT_AGENT_PER_MIN: PerWindow(30),
  LIMIT_RAG_QUERY_PER_MIN: PerWindow(20),
  AUTH_SERVICE_PORT: Port(5001),
  AGENT_SERVICE_PORT: Port(5002),
  RAG_SERVICE_PORT: Port(5003),
  AUTH_SERVICE_URL: Type.String({ pattern: '^https?://', default: 'http://127.0.0.1:5001' }),
  AGENT_SERVICE_URL: Type.String({ pattern: '^https?://', default: 'http://127.0.0.1:5002' }),
  RAG_SERVICE_URL: Type.String({ pattern: '^https?://', default: 'http://127.0.0.1:5003' }),
}
const SharedConfig = Type.Object(shared)
export type SharedConfig = Readonly<Static<typeof SharedConfig>>

/** Where the services are, by the names the edge calls them. */
export const serviceUrls = ({ AUTH_SERVICE_URL, AGENT_SERVICE_URL, RAG_SERVICE_URL }: SharedConfig) => ({
  auth: AUTH_SERVICE_URL,
  agent: AGENT_SERVICE_URL,
  rag: RAG_SERVICE_URL,
})
export type ServiceUrls = ReturnType<typeof serviceUrls>

/** The items of a `List` variable. */
export function listed(value: string): string[] {
  return value
    .split(',')
    .map(item => item.trim())
    .filter(Boolean)
}

/** Reads a service's configuration. Throws one Error that names every wrong variable. */
export function loadConfig<Schema extends TObject>(
  schema: Schema,
  environment: NodeJS.ProcessEnv = process.env,
): Readonly<Static<Schema>> {
  const given: Record<string, string> = {}
  for (const name of Object.keys(schema.properties)) {
    const value = environment[name]
    if (value !== undefined && value !== '') given[name] = value
  }
  const config = Value.Default(schema, withNumbers(schema, given))
  const faults = Value.Errors(schema, config).map(({ instancePath, message }) => `${instancePath.slice(1)} ${message}`)
  faults.push(...productionFaults(config as Partial<SharedConfig>))
  if (faults.length > 0)
    throw new Error(`The configuration is wrong: ${faults.join('; ')}. Correct the variables and start again.`)
  return Object.freeze(config) as Readonly<Static<Schema>>
}

function productionFaults(config: Record<string, unknown>): string[] {
  if (config.NODE_ENV !== 'production') return []
  return Object.keys(config)
    .filter(name => name.startsWith('LIMIT_') && config[name] === 0)
    .map(name => `${name} is 0 (off), which production refuses`)
}
