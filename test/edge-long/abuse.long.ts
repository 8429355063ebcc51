import t from 'tap'
import { abuse } from '../edge/abuse.ts'

t.setTimeout(1_200_000)
await abuse(t, 10_000)
