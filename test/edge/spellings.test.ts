import t from 'tap'
import { spellEveryRoute } from './spelled.ts'

// Each route some dozen times; `make test-edge` spells each 2,000 times.
await spellEveryRoute(t, 40)
