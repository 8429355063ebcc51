import t from 'tap'
import { spellEveryRoute } from '../edge/spelled.ts'

t.setTimeout(1_200_000)
await spellEveryRoute(t, 2_000)
