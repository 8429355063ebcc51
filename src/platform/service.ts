// Dresses the root instance every service runs on, in one fixed order: main, tests and benchmarks all build a service here, so what
// is tested is what runs.

import { isUtf8 } from 'node:buffer'
import { randomUUID } from 'node:crypto'
import { BlockList, isIP } from 'node:net'
import cors from '@fastify/cors'
import swagger from '@fastify/swagger'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, { type FastifyInstance, LogController } from 'fastify'
import { registerAudit } from './audit.ts'
import { listed, type SharedConfig, serviceUrls } from './config.ts'
import { answerFailure, answerSocket, failure, loggedError } from './errors.ts'
import { registerHealth, type ServiceName, version } from './health.ts'
import { registerIdentity } from './identity.ts'
import type { KeySource } from './keys.ts'
import { registerMetrics } from './metrics.ts'
import { registerNotFound } from './not-found.ts'
import { registerRedis } from './redis.ts'
import { wellFormed } from './text.ts'
import { validator } from './validation.ts'

/** Largest JSON body, in bytes, unless a service or a route says otherwise. */
const JSON_BYTES_MAX = 1024 * 1024
/** Largest request head, in bytes. */
const HEAD_BYTES_MAX = 16 * 1024
/** Longest wait for a whole request to arrive; an upload of the largest size fits in it. */
const REQUEST_MS_MAX = 600_000
/** Longest a service may take to open what it needs: a model is loaded in it, perhaps on a busy machine. */
const OPEN_MS_MAX = 120_000
/** Kept longer than the edge keeps its connections, so that it is never we who close one it is about to use. */
const KEEP_ALIVE_MS = 75_000

export type App = FastifyInstance

declare module 'fastify' {
  interface FastifyInstance {
    /** What the service rests on can no longer be trusted: from now on it serves nothing, and says why in the log. */
    giveUp(reason: Error): void
  }
}

/** A service: what it is called, its frozen configuration, where it verifies from, and its routes. */
export interface Service {
  name: ServiceName
  config: SharedConfig
  /** Called once Redis is there. */
  keys: (app: App) => KeySource | Promise<KeySource>
  /** Largest JSON body, in bytes; 1 MiB unless given. */
  bodyBytesMax?: number
  /** Opens what the service needs, registers its routes, closes with the app. */
  plugin: (app: App) => Promise<void>
}

/** Builds a service ready to listen or to inject into. */
export async function buildService({ name, config, keys, plugin, bodyBytesMax = JSON_BYTES_MAX }: Service): Promise<App> {
  const app: App = Fastify({
    logger: {
      level: config.LOG_LEVEL,
      base: { service: name },
      // The last is what @fastify/multipart writes of each form at the level trace.
      redact: ['req.headers.authorization', 'req.headers.cookie', 'busboyOptions.headers'],
      serializers: { err: loggedError },
    },
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
    genReqId: ({ headers: { 'x-request-id': given } }) =>
      typeof given === 'string' && /^[\w-]{1,64}$/.test(given) ? given : randomUUID(),
    trustProxy: trusted(config),
    bodyLimit: bodyBytesMax,
    requestTimeout: REQUEST_MS_MAX,
    pluginTimeout: OPEN_MS_MAX,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // Fastify's own refusal while it closes is not in the house body; ours comes first of all hooks.
    return503OnClosing: false,
    routerOptions: { maxParamLength: 128 },
    http: { maxHeaderSize: HEAD_BYTES_MAX },
    clientErrorHandler: (error, socket) => answerSocket(error, socket),
    frameworkErrors: (error, request, reply) => answerFailure(error, request, reply),
  })
  app.setValidatorCompiler(validator)
  app.setErrorHandler(answerFailure)
  registerJson(app)
  app.addHook('onSend', async (request, reply) => {
    reply.header('x-request-id', request.id)
    reply.header('cache-control', reply.getHeader('cache-control') ?? 'no-store')
  })

  try {
    await dress(app, { name, config, keys, plugin })
    await app.ready()
    return app
  } catch (error) {
    await app.close()
    throw error
  }
}

/** Everything a service wears, in order. */
async function dress(app: App, { name, config, keys, plugin }: Service) {
  let [over, closing] = [false, false]
  app.decorate('giveUp', reason => {
    if (!over) app.log.fatal({ err: reason }, 'nothing more is served')
    over = true
  })
  app.addHook('preClose', async () => {
    closing = true
  })
  app.addHook('onRequest', async () => {
    if (over || closing) throw failure('unavailable')
  })
  await registerRedis(app, config)
  // A preflight carries no credential, so it is answered before anyone asks for one; OPTIONS is taken for nothing else.
  app.addHook('onRequest', async ({ method, headers }) => {
    if (method === 'OPTIONS' && !(headers.origin && headers['access-control-request-method']))
      throw failure('invalid_request', 'OPTIONS is a preflight here: it names Origin and Access-Control-Request-Method')
  })
  await app.register(cors, {
    origin: listed(config.CORS_ORIGINS),
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders: [
      'content-range',
      'etag',
      'location',
      'retry-after',
      'ratelimit-limit',
      'ratelimit-remaining',
      'ratelimit-reset',
      'x-request-id',
    ],
    maxAge: 600,
  })
  const source = await keys(app)
  app.addHook('onClose', async () => source.close())
  await registerIdentity(app, config, source)
  app.addHook('preValidation', async ({ body, query, params }) => {
    if (!wellFormed(body) || !wellFormed(query) || !wellFormed(params)) {
      throw failure('invalid_request', 'The request holds a NUL character or half of a surrogate pair; remove it')
    }
  })
  registerAudit(app, name)
  registerNotFound(app)
  await registerOpenapi(app, name)
  registerHealth(app, name, serviceUrls(config))
  if (source.known) app.needs('keys', source.known)
  registerMetrics(app)
  await app.register(async scope => plugin(scope as App))
}

/** Routes typed by their TypeBox schemas. */
export type Routes = FastifyInstance<
  import('fastify').RawServerDefault,
  import('node:http').IncomingMessage,
  import('node:http').ServerResponse,
  import('fastify').FastifyBaseLogger,
  TypeBoxTypeProvider
>

/** JSON must be UTF-8; no body at all is fine for a route that wants none. */
function registerJson(app: App) {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeContentTypeParser(['application/json', 'text/plain'])
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    if (body.length === 0) return done(null, undefined)
    if (!isUtf8(body)) return done(failure('invalid_request', 'The body is not UTF-8'))
    parse(request, body.toString(), done)
  })
}

/** Who may say for whom it asks: one hop, and only from these addresses. */
function trusted(config: SharedConfig) {
  const list = new BlockList()
  for (const entry of listed(config.TRUSTED_PROXIES)) {
    const [address = '', bits] = entry.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (bits) list.addSubnet(address, Number(bits), family)
    else list.addAddress(address, family)
  }
  return (address: string, hop: number) => hop === 0 && list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}

async function registerOpenapi(app: App, name: ServiceName) {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: `${name} service`, version },
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer', description: 'Access token or API key' } } },
    },
    transform: ({ schema, url, route }) => {
      const access = route.config?.access ?? 'public'
      const lock = access === 'public' ? {} : { security: [{ bearer: [] }], 'x-permission': access }
      return { schema: { ...schema, ...lock }, url }
    },
  })
  // Written once: anybody may ask for it as often as he likes.
  let written: string | undefined
  app.get('/openapi.json', { config: { access: 'public', unlimited: true }, schema: { hide: true } }, (_request, reply) => {
    // Relative, so that it is true under every prefix; the plugin itself takes absolute ones only.
    written ??= JSON.stringify({ ...app.swagger(), servers: [{ url: '.' }] })
    return reply.type('application/json; charset=utf-8').send(written)
  })
}
