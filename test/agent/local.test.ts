// The model of this machine as far as it can be told without its weights: which file is taken, what is said when there is none, and who
// answers when what is there is no model.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { AgentConfig } from '../../src/agent/config.ts'
import { chooseAnswerers } from '../../src/agent/models/choose.ts'
import { loadConfig } from '../../src/platform/config.ts'
import { house } from './house.ts'

const log = { warn: () => undefined }
const choose = (env: Record<string, string>) => chooseAnswerers(loadConfig(AgentConfig, env), log)
const broken = join(t.testdir({ 'broken.gguf': 'GGUF and nothing that follows from it', 'other.gguf': 'PK' }), 'broken.gguf')

t.test('without a model small talk is answered by the built-in answerer', async t => {
  const { person } = await house(t)
  const ada = await person('ada')
  const body = (await ada.ask({ user_request: 'Hello, how are you?', mode: 'chat' })).json()
  t.match(body, { answerer: 'extractive', grounded: false, final_response: /no language model is set up/ })
  t.notOk('fallbacks' in body)
  t.same(
    (await ada.send('GET', '/v1/models')).json().data.map(({ id }: { id: string }) => id),
    ['extractive'],
  )
})

t.test('a model that is named and not there, or is no model, stops the start with a sentence', async t => {
  await t.rejects(choose({ LOCAL_MODEL_PATH: '/nonexistent/a.gguf' }), {
    message:
      /^There is no model to be read at LOCAL_MODEL_PATH \(\/nonexistent\/a\.gguf\): run make smalltalk, or name a GGUF file/,
  })
  await t.rejects(choose({ LOCAL_MODEL_PATH: broken.replace('broken', 'other') }), {
    message: /is no GGUF file: run make smalltalk/,
  })
  await t.rejects(choose({ LOCAL_MODEL_PATH: 'none', DEFAULT_LLM_PROVIDER: 'local' }), {
    message: /^DEFAULT_LLM_PROVIDER is local, and/,
  })
  const missing = async (given: Record<string, string>, names: string) =>
    t.rejects(choose(given), { message: `DEFAULT_LLM_PROVIDER is ${given.DEFAULT_LLM_PROVIDER}: set ${names} too.` })
  await missing({ DEFAULT_LLM_PROVIDER: 'openai_compatible' }, 'DEFAULT_LLM_MODEL and DEFAULT_LLM_BASE_URL')
  await missing({ DEFAULT_LLM_PROVIDER: 'openai', DEFAULT_LLM_MODEL: 'm' }, 'OPENAI_API_KEY')
  await missing({ DEFAULT_LLM_PROVIDER: 'anthropic', OPENAI_API_KEY: 'k' }, 'DEFAULT_LLM_MODEL and ANTHROPIC_API_KEY')
  await missing({ DEFAULT_LLM_PROVIDER: 'google', DEFAULT_LLM_MODEL: 'm' }, 'GEMINI_API_KEY')
  t.match((await choose({ DEFAULT_LLM_PROVIDER: 'anthropic', DEFAULT_LLM_MODEL: 'm', ANTHROPIC_API_KEY: 'k' })).names, [
    'anthropic/m',
    'extractive',
  ])
})

t.test('a model whose weights are broken is passed over, with the reason in the reply', async t => {
  const { person, app } = await house(t, { LOCAL_MODEL_PATH: broken, DEFAULT_LLM_PROVIDER: 'local' })
  const bea = await person('bea')
  await bea.store('wells', 'The north well was sealed on 3 May 1921 by Ines Okafor.')
  const fallbacks = [{ answerer: 'local/broken', reason: 'unusable' }]
  t.match((await bea.ask({ user_request: 'When was the north well sealed?' })).json(), {
    ...{ answerer: 'extractive', grounded: true, final_response: /3 May 1921/, fallbacks },
    usage: { input_tokens: 0 },
  })
  t.match((await bea.ask({ user_request: 'Hello!' })).json(), {
    final_response: 'The language model does not answer just now.',
    fallbacks,
  })
  t.same(
    (await bea.send('GET', '/v1/models')).json().data.map(({ id }: { id: string }) => id),
    ['local/broken', 'extractive'],
  )
  t.match((await bea.send('GET', '/usage')).json(), { reserved: 0 })
  const children = `/proc/${process.pid}/task/${process.pid}/children`
  if (!existsSync(children)) return
  await app.close()
  const left = readFileSync(children, 'utf8').trim().split(' ').filter(Boolean)
  t.notOk(
    left.some(pid => readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('local-child.ts')),
    'no process is left',
  )
})
