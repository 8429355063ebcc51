import t from 'tap'
import { rotateUnderLoad } from '../auth/rotating.ts'

t.test('signing keys change a dozen times under load, parts restart, and no token that holds is refused', t =>
  rotateUnderLoad(t, 12),
)
