import t from 'tap'
import { churn } from '../search/churning.ts'

t.test('thousands of documents that come, change and go ten times over are found while they live and never after', t =>
  churn(t, 1000, 10_000),
)
