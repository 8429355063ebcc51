import t from 'tap'
import { crowd } from './crowd.ts'

t.test('twelve users with nearly the same documents see nothing of each other', t => crowd(t, 12, 8, 300))
