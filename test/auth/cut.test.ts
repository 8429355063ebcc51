import t from 'tap'
import { cutAnywhere } from './cutting.ts'

// `make test-identity` cuts at fifty places more.
t.test('on an append-only file that ends too early auth starts whole or stops with a sentence', t => cutAnywhere(t, 4, 1))
