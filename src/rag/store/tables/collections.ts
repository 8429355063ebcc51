// Rows of collections and of the grants that share them. A collection that is being erased is not there for anyone.
import { randomUUIDv7 } from 'node:crypto'
import type { Database } from '../database.ts'

export interface CollectionRow {
  id: string
  owner: string
  name: string
  description: string
  created_at: number
}
/** A collection as one user sees it: what she may do there. */
export interface VisibleCollection extends CollectionRow {
  /** How many documents there are in it. */
  documents: number
  access: 'owner' | 'read' | 'write'
}
export interface GrantRow {
  user_id: string
  access: 'read' | 'write'
}

// Hers, and those shared with her: each is found by its own index.
const visible = `
  SELECT id, owner, name, description, created_at, documents, 'owner' AS access
  FROM collections WHERE owner = :user AND erasing = 0
  UNION ALL SELECT c.id, c.owner, c.name, c.description, c.created_at, c.documents, g.access
  FROM grants g CROSS JOIN collections c ON c.id = g.collection_id
  WHERE g.user_id = :user AND c.owner <> :user AND c.erasing = 0`

export function collectionTable(database: Database) {
  return {
    insert(row: { owner: string; name: string; description: string }): CollectionRow {
      const whole = { ...row, id: id(), created_at: Date.now() }
      database.run(
        'INSERT INTO collections (id, owner, name, description, created_at) VALUES (:id, :owner, :name, :description, :created_at)',
        whole,
      )
      return whole
    },

    visible: (user: string, collection: string) =>
      database.one<VisibleCollection>(`SELECT * FROM (${visible}) WHERE id = :collection`, { user, collection }),

    /** Everything `user` may read, newest first; `after` is the id the page before ended with. */
    allVisible: (user: string, limit: number, after: string | null = null) =>
      database.all<VisibleCollection>(
        `SELECT * FROM (${visible}) ${after === null ? '' : 'WHERE id < :after'} ORDER BY id DESC LIMIT :limit`,
        { user, limit, ...(after !== null && { after }) },
      ),

    named: (owner: string, name: string) =>
      database.one<CollectionRow>('SELECT * FROM collections WHERE owner = :owner AND name = :name AND erasing = 0', {
        owner,
        name,
      }),

    owned: (owner: string) => database.all<CollectionRow>('SELECT * FROM collections WHERE owner = :owner', { owner }),

    count: (owner: string) =>
      database.one<{ n: number }>('SELECT count(*) AS n FROM collections WHERE owner = :owner', { owner })?.n ?? 0,

    /** How many documents there are in it. */
    documentsIn: (id: string) =>
      database.one<{ n: number }>('SELECT documents AS n FROM collections WHERE id = :id', { id })?.n ?? 0,

    /** Bytes of the originals in everything `owner` owns, those of older versions among them. */
    bytesOf: (owner: string) =>
      database.one<{ n: number | null }>('SELECT sum(bytes) AS n FROM collections WHERE owner = :owner', { owner })?.n ?? 0,

    ids: () => database.all<{ id: string }>('SELECT id FROM collections ORDER BY id').map(({ id }) => id),

    /** A page of ids, oldest first; `after` is the id the page before ended with. */
    page: (limit: number, after = '') =>
      database
        .all<{ id: string }>('SELECT id FROM collections WHERE erasing = 0 AND id > :after ORDER BY id LIMIT :limit', {
          after,
          limit,
        })
        .map(({ id }) => id),

    erasing: () => database.all<{ id: string }>('SELECT id FROM collections WHERE erasing = 1 ORDER BY id').map(({ id }) => id),

    ownerOf: (id: string) => database.one<{ owner: string }>('SELECT owner FROM collections WHERE id = :id', { id })?.owner ?? '',

    update: (row: { id: string; name: string; description: string }) =>
      database.run('UPDATE collections SET name = :name, description = :description WHERE id = :id', row),

    /** From now on it is not there for anyone. */
    markErasing: (id: string) => database.run('UPDATE collections SET erasing = 1 WHERE id = :id', { id }),

    /** Where the collection's file stood when the catalogue last followed it. */
    position: (id: string) =>
      database.one<{ position: number }>('SELECT position FROM collections WHERE id = :id', { id })?.position ?? 0,

    /** The catalogue follows the collection's file at `position`. */
    follow: (id: string, position: number) =>
      database.run('UPDATE collections SET position = :position WHERE id = :id', { id, position }),

    remove: (id: string) => database.run('DELETE FROM collections WHERE id = :id', { id }),

    grants: (collection: string) =>
      database.all<GrantRow>('SELECT user_id, access FROM grants WHERE collection_id = :collection ORDER BY user_id', {
        collection,
      }),

    grant: (collection: string, user: string, access: GrantRow['access']) =>
      database.run(
        `INSERT INTO grants (collection_id, user_id, access) VALUES (:collection, :user, :access)
         ON CONFLICT DO UPDATE SET access = excluded.access`,
        { collection, user, access },
      ),

    /** How many collections are shared with a user. */
    sharedWith: (user: string) =>
      database.one<{ n: number }>('SELECT count(*) AS n FROM grants WHERE user_id = :user', { user })?.n ?? 0,

    revoke: (collection: string, user: string) =>
      database.run('DELETE FROM grants WHERE collection_id = :collection AND user_id = :user', { collection, user }),

    revokeAll: (user: string) => database.run('DELETE FROM grants WHERE user_id = :user', { user }),
  }
}

/** A new id: 32 hexadecimal digits, ordered by time (RFC 9562, version 7). */
export function id(): string {
  return randomUUIDv7().replaceAll('-', '')
}
