import t from 'tap'
import { rotateUnderLoad } from './rotating.ts'

// `make test-identity` rotates a dozen times.
t.test('signing keys change twice under load, parts restart, and no token that holds is refused', t => rotateUnderLoad(t, 2))
