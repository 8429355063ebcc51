import t from 'tap'
import { cutAnywhere } from '../auth/cutting.ts'

t.test('on an append-only file cut at fifty places auth starts whole or stops with a sentence', t => cutAnywhere(t, 50, 2026))
