// Twins of src/rag/ranges.ts and disposition.ts.
import t from 'tap'
import { attachment } from '../../src/rag/disposition.ts'
import { partOf } from '../../src/rag/ranges.ts'

const E = 'e'.repeat(64)
const whole = { status: 200, start: 0, end: 100 }
const range = (range: string, more = {}) => partOf({ range, ...more }, E, 100)

t.test('one range gives exactly its bytes, the last one included', async t => {
  t.same(range('bytes=10-19'), { status: 206, start: 10, end: 20 })
  t.same(range('bytes=0-0'), { status: 206, start: 0, end: 1 })
  t.same(range('bytes=90-'), { status: 206, start: 90, end: 100 })
  t.same(range('bytes=-5'), { status: 206, start: 95, end: 100 })
  t.same(range('bytes=-500'), { status: 206, start: 0, end: 100 })
  t.same(range('bytes=99-1000'), { status: 206, start: 99, end: 100 })
  t.same(range('BYTES=10-19'), { status: 206, start: 10, end: 20 })
})

t.test('a range beyond the end is not satisfiable and says how long the text is', async t => {
  for (const beyond of ['bytes=100-', 'bytes=100-200', 'bytes=-0', 'bytes=99999999999999999999-']) {
    t.throws(
      () => range(beyond),
      { code: 'range_not_satisfiable', extras: { headers: { 'content-range': 'bytes */100' } } },
      beyond,
    )
  }
})

t.test('several ranges, another unit and nonsense are answered whole', async t => {
  for (const odd of ['bytes=0-1,5-6', 'lines=0-1', 'bytes=', 'bytes=-', 'bytes=20-10', 'bytes=a-b', 'bytes'])
    t.same(range(odd), whole, odd)
})

t.test('If-Range lets the range through only for the same bytes', async t => {
  t.same(range('bytes=0-9', { 'if-range': `"${E}"` }), { status: 206, start: 0, end: 10 })
  for (const other of ['"other"', `W/"${E}"`, E, 'Wed, 21 Oct 2015 07:28:00 GMT'])
    t.same(range('bytes=0-9', { 'if-range': other }), whole, other)
})

t.test('If-Match fails for other bytes and for weak tags, If-None-Match spares the body', async t => {
  t.same(partOf({ 'if-match': `"x", "${E}"` }, E, 100), whole)
  t.same(partOf({ 'if-match': '*' }, E, 100), whole)
  for (const other of ['"x"', `W/"${E}"`])
    t.throws(() => partOf({ 'if-match': other }, E, 100), { code: 'precondition_failed' }, other)
  for (const same of [`"${E}"`, `W/"${E}"`, '*', `"x", "${E}"`])
    t.equal(partOf({ 'if-none-match': same }, E, 100).status, 304, same)
  t.same(partOf({ 'if-none-match': '"x"' }, E, 100), whole)
})

t.test('a download has a name that stays in its folder and in its header', async t => {
  t.equal(attachment('report.pdf'), `attachment; filename="report.pdf"; filename*=UTF-8''report.pdf`)
  t.equal(attachment('../../x'), `attachment; filename="__.._x"; filename*=UTF-8''__.._x`)
  t.equal(
    attachment('a"b\r\nSet-Cookie: c=d'),
    `attachment; filename="a_b_Set-Cookie_ c=d"; filename*=UTF-8''a_b_Set-Cookie_%20c%3Dd`,
  )
  t.equal(attachment('Übersicht.txt'), `attachment; filename="U_bersicht.txt"; filename*=UTF-8''%C3%9Cbersicht.txt`)
  t.equal(attachment('日本.txt'), `attachment; filename="__.txt"; filename*=UTF-8''%E6%97%A5%E6%9C%AC.txt`)
  t.equal(attachment('invoice\u202Efdp.exe'), `attachment; filename="invoice_fdp.exe"; filename*=UTF-8''invoice_fdp.exe`)
})
