// The catalogue's tables, one entry per schema version; an entry that has been released is never edited, a change is a new entry.

const first = `
CREATE TABLE collections (
  id TEXT PRIMARY KEY,
  owner TEXT NOT NULL,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  erasing INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX collections_by_name ON collections (owner, name) WHERE erasing = 0;

CREATE TABLE grants (
  collection_id TEXT NOT NULL REFERENCES collections ON DELETE CASCADE,
  user_id TEXT NOT NULL,
  access TEXT NOT NULL CHECK (access IN ('read', 'write')),
  PRIMARY KEY (collection_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX grants_by_user ON grants (user_id);

-- original: SHA-256 of the bytes last accepted; version: SHA-256 of the text that search shows, null before the first.
CREATE TABLE documents (
  id TEXT PRIMARY KEY,
  collection_id TEXT NOT NULL REFERENCES collections,
  title TEXT NOT NULL,
  source TEXT,
  metadata TEXT NOT NULL,
  original TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('queued', 'extracting', 'embedding', 'ready', 'failed')),
  failure TEXT,
  version TEXT,
  job_id TEXT NOT NULL,
  created_by TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  erasing INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX documents_by_original ON documents (collection_id, original) WHERE erasing = 0;
CREATE INDEX documents_by_title ON documents (collection_id, title);
CREATE INDEX documents_by_source ON documents (collection_id, source) WHERE source IS NOT NULL;
CREATE INDEX documents_by_bytes ON documents (collection_id, bytes);

-- state 'pending': its passages are about to be published; 'kept': it is or was visible and can be read; 'gone': only its name is left.
CREATE TABLE versions (
  document_id TEXT NOT NULL REFERENCES documents ON DELETE CASCADE,
  version TEXT NOT NULL,
  original TEXT NOT NULL,
  media_type TEXT NOT NULL,
  coverage TEXT NOT NULL,
  passages INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'kept', 'gone')),
  created_at INTEGER NOT NULL,
  PRIMARY KEY (document_id, version)
) STRICT, WITHOUT ROWID;
CREATE INDEX versions_by_version ON versions (version);
CREATE INDEX versions_by_original ON versions (original);

-- version: the text it made, once known; publishing: 1 from just before its passages are shown, when it can only be finished.
CREATE TABLE jobs (
  id TEXT PRIMARY KEY,
  document_id TEXT NOT NULL REFERENCES documents ON DELETE CASCADE,
  user_id TEXT NOT NULL,
  original TEXT NOT NULL,
  name TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('queued', 'extracting', 'embedding', 'ready', 'failed')),
  attempts INTEGER NOT NULL DEFAULT 0,
  done INTEGER NOT NULL DEFAULT 0,
  total INTEGER,
  version TEXT,
  publishing INTEGER NOT NULL DEFAULT 0,
  failure TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX jobs_by_document ON jobs (document_id);
CREATE INDEX jobs_unfinished ON jobs (id) WHERE state IN ('queued', 'extracting', 'embedding');

CREATE TABLE idempotency (
  user_id TEXT NOT NULL,
  route TEXT NOT NULL,
  key TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  status INTEGER NOT NULL,
  reply TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (user_id, route, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- stage 'removing': passages and files are going; 'announcing': the stream has not taken it yet; 'done'.
CREATE TABLE erasures (
  id TEXT PRIMARY KEY,
  user_id TEXT NOT NULL,
  collection_id TEXT NOT NULL,
  document_id TEXT NOT NULL,
  versions TEXT NOT NULL,
  counts TEXT NOT NULL,
  stage TEXT NOT NULL CHECK (stage IN ('removing', 'announcing', 'done')),
  entry TEXT,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX erasures_unfinished ON erasures (id) WHERE stage <> 'done';

CREATE TABLE cursors (name TEXT PRIMARY KEY, position TEXT NOT NULL) STRICT, WITHOUT ROWID;
`

const second = `
CREATE TABLE evaluations (
  id TEXT PRIMARY KEY,
  user_id TEXT NOT NULL,
  request TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('queued', 'ready', 'failed')),
  done INTEGER NOT NULL,
  total INTEGER NOT NULL,
  result TEXT,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX evaluations_by_user ON evaluations (user_id);
CREATE INDEX evaluations_waiting ON evaluations (id) WHERE state = 'queued';

-- The collection's file is to be made anew from the originals, before anything else is done in it.
ALTER TABLE collections ADD COLUMN rebuild INTEGER NOT NULL DEFAULT 0;
`

// Which model serves and which is beside it, once a change of model was ever asked for. stage: see reindex.ts.
const third = `
CREATE TABLE serving (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  model TEXT NOT NULL,
  beside TEXT,
  stage TEXT NOT NULL CHECK (stage IN ('embedding', 'evaluating', 'kept', 'finishing', 'settled')),
  ndcg_loss_max REAL NOT NULL,
  done INTEGER NOT NULL,
  total INTEGER NOT NULL,
  outcome TEXT
) STRICT;
`

// position: how often what the collection's file shows had changed when the catalogue last followed; see mending.ts.
const fourth = `
ALTER TABLE collections ADD COLUMN position INTEGER NOT NULL DEFAULT 0;
CREATE INDEX documents_by_state ON documents (collection_id, state, id);
`

// What each document holds on disk, and how large it is: of older versions nobody noted the size, so they are taken to be as large as the last.
const fifth = `
CREATE TABLE holdings (
  document_id TEXT NOT NULL REFERENCES documents ON DELETE CASCADE,
  original TEXT NOT NULL,
  collection_id TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  PRIMARY KEY (document_id, original)
) STRICT, WITHOUT ROWID;
CREATE INDEX holdings_by_original ON holdings (collection_id, original, bytes);
INSERT INTO holdings
  SELECT d.id, held.original, d.collection_id, d.bytes FROM documents d JOIN (
    SELECT id AS document_id, original FROM documents
    UNION SELECT document_id, original FROM versions WHERE state <> 'gone'
    UNION SELECT document_id, original FROM jobs
  ) held ON held.document_id = d.id;
DROP INDEX documents_by_bytes;
`

// Each document that is read asks whether a job still needs a text: without this, every job that waits was looked at.
const sixth = `
CREATE INDEX jobs_by_version ON jobs (version) WHERE version IS NOT NULL;
`

// Nothing that is asked for one request or one document looks at all there are: what is counted is kept count of, and each order a page is
// told in has its index.
const seventh = `
ALTER TABLE collections ADD COLUMN documents INTEGER NOT NULL DEFAULT 0;
ALTER TABLE collections ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
UPDATE collections SET
  documents = (SELECT count(*) FROM documents d WHERE d.collection_id = collections.id AND d.erasing = 0),
  bytes = (SELECT coalesce(sum(h.bytes), 0) FROM holdings h WHERE h.collection_id = collections.id);
CREATE TRIGGER documents_added AFTER INSERT ON documents WHEN NEW.erasing = 0 BEGIN
  UPDATE collections SET documents = documents + 1 WHERE id = NEW.collection_id;
END;
CREATE TRIGGER documents_erasing AFTER UPDATE OF erasing ON documents WHEN NEW.erasing <> OLD.erasing BEGIN
  UPDATE collections SET documents = documents + OLD.erasing - NEW.erasing WHERE id = NEW.collection_id;
END;
CREATE TRIGGER documents_removed AFTER DELETE ON documents WHEN OLD.erasing = 0 BEGIN
  UPDATE collections SET documents = documents - 1 WHERE id = OLD.collection_id;
END;
CREATE TRIGGER holdings_added AFTER INSERT ON holdings BEGIN
  UPDATE collections SET bytes = bytes + NEW.bytes WHERE id = NEW.collection_id;
END;
CREATE TRIGGER holdings_removed AFTER DELETE ON holdings BEGIN
  UPDATE collections SET bytes = bytes - OLD.bytes WHERE id = OLD.collection_id;
END;

CREATE INDEX collections_by_owner ON collections (owner, id);
CREATE INDEX collections_erasing ON collections (id) WHERE erasing = 1;
CREATE INDEX documents_by_id ON documents (collection_id, id) WHERE erasing = 0;
CREATE INDEX documents_to_find ON documents (collection_id) WHERE version IS NOT NULL AND erasing = 0;
DROP INDEX documents_by_title;
CREATE INDEX documents_by_title ON documents (collection_id, title, id);
DROP INDEX documents_by_source;
CREATE INDEX documents_by_source ON documents (collection_id, source, id) WHERE source IS NOT NULL;
DROP INDEX jobs_by_version;
CREATE INDEX jobs_making ON jobs (version) WHERE version IS NOT NULL AND state IN ('queued', 'extracting', 'embedding');
DROP INDEX evaluations_waiting;
CREATE INDEX evaluations_waiting ON evaluations (user_id, id) WHERE state = 'queued';
`

export const schemas: readonly string[] = [first, second, third, fourth, fifth, sixth, seventh]
