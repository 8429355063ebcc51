import t from 'tap'
import { crowd } from '../journeys/crowd.ts'

t.test('a thousand users with nearly the same documents see nothing of each other', t => crowd(t, 1_000, 20, 20_000))
