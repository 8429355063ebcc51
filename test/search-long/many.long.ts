import t from 'tap'
import { spread } from '../search/spreading.ts'

t.test('ten thousand small collections are opened when they are asked, and closed again', t => spread(t, 10_000))
