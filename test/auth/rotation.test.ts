import t from 'tap'
import { rotateUnderLoad } from './rotating.ts'

// `make test-identity` rotates a dozen times.
t.test('signing keys change three times under load, parts restart, and no token that holds is refused', t =>
  rotateUnderLoad(t, 3),
)
