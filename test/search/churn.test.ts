import t from 'tap'
import { churn } from './churning.ts'
import { skip } from './lanes.ts'

t.test('documents that come, change and go ten times over are found while they live and never after', { skip }, t =>
  churn(t, 30, 300),
)
