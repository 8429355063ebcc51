// The bodies rag takes and gives, as in the HTTP contract.
import Type, { type Static } from 'typebox'
import { failures } from '../contracts/failure.ts'
import { Id } from '../contracts/search.ts'
import { documentStates } from './store/tables/documents.ts'

export const closed = { additionalProperties: false }
const PAGE_MAX = 200
/** Longest name of a document, in characters. */
export const TITLE_CHARS_MAX = 1000
/** Most fields of metadata one document may have. */
const METADATA_FIELDS_MAX = 50

export const Time = Type.String({ format: 'date-time' })
export const Nullable = <Schema extends Type.TSchema>(schema: Schema) => Type.Union([schema, Type.Null()])
const State = Type.Enum([...documentStates])
export const Count = Type.Integer({ minimum: 0 })
export const Estimate = Type.Object(
  { mean: Type.Number(), low: Type.Number(), high: Type.Number() },
  { description: 'A mean over the queries with its 95 % confidence interval' },
)
const JobFailure = Type.Object({ code: Type.Enum(Object.keys(failures)), message: Type.String() })

export const ById = Type.Object({ id: Id }, closed)
/** The id a page ended at. */
const Cursor = Type.String({ pattern: '^[0-9a-f]{32}$' })
const paging = {
  cursor: Type.Optional(Cursor),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: PAGE_MAX, default: 50 })),
}
export const Page = Type.Object(paging, closed)

const Title = Type.String({ minLength: 1, maxLength: TITLE_CHARS_MAX })
const Source = Type.String({ minLength: 1, maxLength: 2000 })
export const Scalar = Type.Union([Type.String({ maxLength: 2000 }), Type.Number(), Type.Boolean(), Type.Null()])
const Metadata = Type.Record(
  Type.String({ minLength: 1, maxLength: 100 }),
  Type.Union([Scalar, Type.Array(Scalar, { maxItems: 100 })]),
  { maxProperties: METADATA_FIELDS_MAX, title: 'Metadata' },
)
const OnSameName = Type.Enum(['replace', 'keep_both', 'refuse'])

/** A document sent as JSON. */
export const NewText = Type.Object(
  {
    title: Title,
    text: Type.String({ minLength: 1 }),
    source: Type.Optional(Source),
    metadata: Type.Optional(Metadata),
    collection_id: Type.Optional(Id),
    on_same_name: Type.Optional(OnSameName),
  },
  { ...closed, title: 'NewText' },
)
export type NewText = Static<typeof NewText>

/** The fields beside `file` in a multipart upload; they hold for every file in it. `metadata` is JSON. */
export const FormFields = Type.Object(
  { collection_id: Type.Optional(Id), on_same_name: Type.Optional(OnSameName), metadata: Type.Optional(Metadata) },
  { ...closed, title: 'FormFields' },
)
export type FormFields = Static<typeof FormFields>

const Accepted = Type.Object({ id: Type.String(), job_id: Type.String(), state: State, title: Type.String() })
const Refused = Type.Object({ title: Type.String(), failure: JobFailure })
export const Uploaded = Type.Object({ documents: Type.Array(Type.Union([Accepted, Refused])) }, { title: 'Uploaded' })
export const Retried = Type.Object(Accepted.properties, { title: 'Retried' })

const document = {
  id: Type.String(),
  collection_id: Type.String(),
  title: Type.String(),
  source: Nullable(Type.String()),
  metadata: Type.Record(Type.String(), Type.Unknown()),
  state: State,
  failure: Type.Optional(JobFailure),
  version: Nullable(Type.String({ description: 'SHA-256 of the text that search shows; null before the first' })),
  media_type: Nullable(Type.String()),
  passages: Count,
  bytes: Count,
  job_id: Type.String(),
  created_at: Time,
  updated_at: Time,
}
const Version = Type.Object({
  version: Type.String(),
  visible: Type.Boolean(),
  media_type: Type.String(),
  passages: Count,
  coverage: Type.Record(Type.String(), Type.Unknown()),
  created_at: Time,
})
export const DocumentList = Type.Object(
  { documents: Type.Array(Type.Object(document)), next_cursor: Nullable(Type.String()) },
  { title: 'DocumentList' },
)
/** Files on the server, by their paths from the folder for ingestion. */
export const IngestRequest = Type.Object(
  {
    file_paths: Type.Array(Type.String({ minLength: 1, maxLength: 4096 }), { minItems: 1, maxItems: 50 }),
    collection_id: Type.Optional(Id),
    on_same_name: Type.Optional(OnSameName),
    metadata: Type.Optional(Metadata),
  },
  { ...closed, title: 'IngestRequest' },
)
export const Document = Type.Object(
  {
    ...document,
    coverage: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { description: 'What was not extracted' })),
    versions: Type.Array(Version, { description: 'Those whose text can still be read, newest first' }),
  },
  { title: 'Document' },
)
export const DocumentQuery = Type.Object(
  { ...paging, state: Type.Optional(State), collection_id: Type.Optional(Id), name: Type.Optional(Title) },
  closed,
)
export const VersionQuery = Type.Object({ version: Type.Optional(Type.String({ pattern: '^[0-9a-f]{64}$' })) }, closed)

export const Receipt = Type.Object(
  {
    receipt_id: Type.String(),
    document_id: Type.String(),
    erased: Type.Object({ passages: Count, versions: Count, texts: Count, originals: Count, jobs: Count }),
    pending: Type.Boolean({ description: 'True until every holder of a copy confirmed; GET erasures/{receipt_id} tells' }),
    waiting_for: Type.Array(Type.String()),
    erased_at: Time,
  },
  { title: 'Receipt' },
)

export const Job = Type.Object(
  {
    id: Type.String(),
    document_id: Type.String(),
    state: State,
    stage: State,
    done: Count,
    total: Nullable(Count),
    attempts: Count,
    failure: Type.Optional(JobFailure),
    created_at: Time,
    updated_at: Time,
  },
  { title: 'Job' },
)

const Name = Type.String({ minLength: 1, maxLength: 200 })
const Description = Type.String({ maxLength: 2000 })
const collection = {
  id: Type.String(),
  name: Type.String(),
  description: Type.String(),
  owner: Type.String(),
  access: Type.Enum(['owner', 'read', 'write']),
  documents: Count,
  created_at: Time,
}
export const NewCollection = Type.Object(
  { name: Name, description: Type.Optional(Description) },
  { ...closed, title: 'NewCollection' },
)
export const CollectionChange = Type.Object(
  { name: Type.Optional(Name), description: Type.Optional(Description) },
  { ...closed, minProperties: 1, title: 'CollectionChange' },
)
const GrantAccess = Type.Enum(['read', 'write'])
export const Collection = Type.Object(
  { ...collection, grants: Type.Optional(Type.Array(Type.Object({ user_id: Type.String(), access: GrantAccess }))) },
  { title: 'Collection' },
)
export const CollectionList = Type.Object(
  { collections: Type.Array(Type.Object(collection)), next_cursor: Nullable(Type.String()) },
  { title: 'CollectionList' },
)
export const CollectionReceipt = Type.Object(
  { collection_id: Type.String(), documents: Count, pending: Type.Boolean() },
  { title: 'CollectionReceipt' },
)
export const GrantOf = Type.Object({ id: Id, user_id: Type.String({ pattern: '^[0-9a-f]{32}$' }) }, closed)
export const Grant = Type.Object({ access: GrantAccess }, { ...closed, title: 'Grant' })

export const Status = Type.Object(
  {
    status: Type.Literal('running'),
    service: Type.Literal('rag'),
    message: Type.String(),
    timestamp: Time,
    version: Type.String(),
  },
  { title: 'Status' },
)
