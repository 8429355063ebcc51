import t from 'tap'
import { abuse } from './abuse.ts'

// `make test-edge` sends 10,000.
t.test('a thousand requests made to confuse confuse nobody', t => abuse(t, 1_000))
