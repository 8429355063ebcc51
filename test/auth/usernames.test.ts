import t from 'tap'
import { canonicalName, checkName } from '../../src/auth/usernames.ts'
import { password } from '../support/services.ts'
import { asking, house } from './house.ts'

const { ask, replica } = await house(t)
const register = (username: unknown, by = ask) => by('POST', '/register', { username, password })

t.test('spellings of one name are one account', async t => {
  const spellings: [string, string[]][] = [
    ['Straße', ['strasse', 'STRASSE', 'straße', 'STRAẞE']],
    ['ﬁona', ['fiona', 'FIONA', 'Ｆｉｏｎａ']],
    ['zoé', ['zoe\u0301', 'ZOÉ', 'ZOE\u0301']],
    ['Σίσυφος', ['σίσυφοσ', 'ΣΊΣΥΦΟΣ']],
    ['user²x', ['user2x']],
  ]
  for (const [first, others] of spellings) {
    t.equal((await register(first)).status, 201, first)
    for (const other of others) {
      t.match(await register(other), { status: 409, body: { code: 'conflict' } }, `${other} is ${first}`)
      t.equal((await ask('POST', '/login', { username: other, password })).status, 200, `${other} signs in as ${first}`)
    }
  }
  t.not(canonicalName('ada'), canonicalName('adа'), 'a Cyrillic letter is another letter')
})

t.test('a name that could be taken for another is refused', async t => {
  const bad = ['аdmin', 'admіn', 'pаypal', 'αdmin', 'gооgle', 'раypal', 'adminא', 'ａdmіn', 'аdmin１']
  for (const name of bad)
    t.match(await register(name), { status: 400, body: { code: 'invalid_request', message: /script/ } }, name)
  for (const name of ['Ада', 'Анна1', 'さくらちゃん', 'tanaka太郎', '김철수', 'अनीता', 'محمد', 'ada-lovelace_1.0+x@home'])
    t.equal((await register(name)).status, 201, name)
})

t.test('controls, spaces and what cannot be seen are refused', async t => {
  const hidden = [
    '\0',
    '\x07',
    '\n',
    '\x1b',
    '\x7f',
    '\u200b',
    '\u200d',
    '\u202e',
    '\u2066',
    '\ufeff',
    '\u00ad',
    '\u3164',
    '\u115f',
    '\ufe0f',
    '\u034f',
    '\u{e0041}',
    ' ',
    '\u00a0',
    '\u2028',
    '\ud800',
  ]
  for (const one of hidden) {
    const code = one.codePointAt(0)?.toString(16)
    for (const name of [`ada${one}x`, `${one}adax`, `adax${one}`])
      t.match(await register(name), { status: 400, body: { code: 'invalid_request' } }, `U+${code}`)
  }
  for (const name of [
    '.ada',
    '-ada',
    '_ada',
    '@ada',
    'a/b/c',
    'a:b:c',
    'a{b}c',
    'a\\b',
    '<b>ada',
    'a"b"c',
    "a'--",
    '\u0301ada',
    '😀😀😀',
  ])
    t.match(await register(name), { status: 400, body: { code: 'invalid_request' } }, name)
})

t.test('3 to 50 characters', async t => {
  for (const name of ['', 'ab', 'x'.repeat(51)]) t.equal((await register(name)).status, 400, name)
  for (const name of ['abc', 'x'.repeat(50)]) t.equal((await register(name)).status, 201, name)
  t.doesNotThrow(() => checkName('abc'))
})

t.test('of many registrations of one name at once, at two replicas, exactly one wins and none is half there', async t => {
  const second = asking(await replica())
  for (let round = 0; round < 3; round++) {
    const all = await Promise.all(
      Array.from({ length: 8 }, (_, i) => register(i % 3 ? `Race${round}` : `race${round}`, i % 2 ? ask : second)),
    )
    t.same(all.map(({ status }) => status).toSorted(), [201, 409, 409, 409, 409, 409, 409, 409])
    const winner = all.find(({ status }) => status === 201)
    const session = await ask('POST', '/login', { username: `RACE${round}`, password })
    t.equal(session.body.user_info.user_id, winner?.body.user_id)
  }
})
