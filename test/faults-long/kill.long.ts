import t from 'tap'
import { killAgainAndAgain, ragProcess } from '../rag/killing.ts'

/** Fewer where a run may not take so long. */
const kills = Number(process.env.KILLS ?? 200)

t.test(`${kills} deaths while documents come in: none is lost, half visible or there twice`, async t =>
  killAgainAndAgain(t, await ragProcess(t), kills),
)
