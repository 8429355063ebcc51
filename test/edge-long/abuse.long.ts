import t from 'tap'
import { abuse } from '../edge/abuse.ts'

t.test('ten thousand requests made to confuse confuse nobody', t => abuse(t, 10_000))
