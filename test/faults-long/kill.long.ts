import t from 'tap'
import { killAgainAndAgain, ragProcess } from '../rag/killing.ts'

t.test('two hundred deaths while documents come in: none is lost, half visible or there twice', async t =>
  killAgainAndAgain(t, await ragProcess(t), 200),
)
