import t from 'tap'
import { spellEveryRoute } from '../edge/spelled.ts'

t.test('every closed route, spelled 2,000 times', t => spellEveryRoute(t, 2_000))
