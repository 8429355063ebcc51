// The bodies of the admin routes: a change of the embedding model, a snapshot, the state of each index.
import Type from 'typebox'
import { Count, closed, Estimate, Nullable } from './schemas.ts'

const ModelName = Type.String({ maxLength: 200, pattern: '^[\\w.-]+/[\\w.-]+$' })

export const Reindex = Type.Object(
  {
    action: Type.Optional(
      Type.Enum(['start', 'rollback', 'finish', 'cancel'], {
        description:
          'start (the usual): embed with `model` beside the old vectors, compare, flip. rollback: the model before serves again. ' +
          'finish: let go of the one that does not serve. cancel: give the change up.',
      }),
    ),
    model: Type.Optional(ModelName),
    ndcg_loss_max: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1,
        description: 'Most the mean nDCG@10 over the stored questions may fall; 0.01 otherwise',
      }),
    ),
  },
  { ...closed, title: 'Reindex' },
)
export const Reindexing = Type.Object(
  {
    model: Type.String({ description: 'The model that serves' }),
    beside: Nullable(Type.String({ description: 'The model it is changed to, or was changed from' })),
    stage: Type.Enum(['embedding', 'evaluating', 'kept', 'finishing', 'settled']),
    ndcg_loss_max: Type.Number(),
    done: Count,
    total: Count,
    outcome: Type.Optional(
      Type.Object({
        questions: Type.Optional(Count),
        ndcg_at_10: Type.Optional(Type.Object({ before: Estimate, after: Estimate, difference: Estimate })),
        refused: Type.Optional(Type.String({ description: 'Why the model that served before goes on' })),
      }),
    ),
  },
  { title: 'Reindexing' },
)
export const Snapshot = Type.Object(
  {
    id: Type.String(),
    state: Type.Enum(['running', 'ready', 'failed']),
    done: Count,
    total: Count,
    folder: Type.String({ description: 'Below the data folder' }),
  },
  { title: 'Snapshot' },
)
const Index = Type.Object({
  collection_id: Type.String(),
  passages: Count,
  position: Count,
  models: Type.Array(Type.String()),
  memory: Type.Record(
    Type.String(),
    Type.Object({ graph: Count, rows: Count, bytes: Count }, { description: 'Vectors in the graph and beside it' }),
  ),
})
export const IndexState = Type.Object(
  {
    reindex: Reindexing,
    snapshot: Nullable(Snapshot),
    indexes: Type.Array(Index),
    next_cursor: Nullable(Type.String()),
  },
  { title: 'IndexState' },
)
