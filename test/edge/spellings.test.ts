import t from 'tap'
import { spellEveryRoute } from './spelled.ts'

// `make test-edge` spells each 2,000 times.
t.test('every closed route, spelled forty times', t => spellEveryRoute(t, 40))
