import t from 'tap'
import { abuse } from './abuse.ts'

// `make test-edge` sends 10,000.
await abuse(t, 1_000)
