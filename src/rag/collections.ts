// Who may do what where. A collection belongs to one user and is shared by grants; what is not shared with you is not there, and says
// so in the same words as what never was.
import { SEARCHED_MAX } from '../contracts/search.ts'
import { failure } from '../platform/errors.ts'
import type { Catalogue } from './store/catalogue.ts'
import type { CollectionRow, GrantRow, VisibleCollection } from './store/tables/collections.ts'
import type { DocumentRow } from './store/tables/documents.ts'

/** Collections one user may own, collections that may be shared with her, and users one collection may be shared with. */
const COLLECTIONS_MAX = 1000
const SHARED_MAX = 1000
const GRANTS_MAX = 1000
/** The collection everyone has. */
const HOME = 'default'

export type Collections = ReturnType<typeof openCollections>

export function openCollections({ collections, documents, transaction }: Catalogue) {
  const view = ({ id, name, description, owner, access, documents, created_at }: VisibleCollection) => ({
    id,
    name,
    description,
    owner,
    access,
    documents,
    created_at: new Date(created_at).toISOString(),
  })

  const self = {
    /** The user's private `default`, made on first use. */
    home(user: string): CollectionRow {
      return (
        collections.named(user, HOME) ??
        transaction(() => collections.insert({ owner: user, name: HOME, description: 'Your private collection' }))
      )
    },

    /** A collection the user may read. Throws `not_found`. */
    readable(user: string, id: string): VisibleCollection {
      const collection = collections.visible(user, id)
      if (!collection) throw failure('not_found')
      return collection
    },

    /** A collection the user may add to and delete from. Throws `not_found`, or `forbidden` when it can be read. */
    writable(user: string, id: string): VisibleCollection {
      const collection = self.readable(user, id)
      if (collection.access === 'read') throw failure('forbidden', 'This collection is shared with you for reading only')
      return collection
    },

    /** A collection of the user's own. Throws `not_found`, or `forbidden` when it is somebody else's. */
    owned(user: string, id: string): VisibleCollection {
      const collection = self.readable(user, id)
      if (collection.access !== 'owner') throw failure('forbidden', 'Only the owner of the collection may do this')
      return collection
    },

    /** A document in a collection the user may read. Throws `not_found`. */
    readableDocument(user: string, id: string): DocumentRow {
      const document = documents.byId(id)
      if (!document) throw failure('not_found')
      self.readable(user, document.collection_id)
      return document
    },

    /** A document in a collection the user may write to. Throws `not_found`, or `forbidden` when it can be read. */
    writableDocument(user: string, id: string): DocumentRow {
      const document = self.readableDocument(user, id)
      self.writable(user, document.collection_id)
      return document
    },

    /**
     * The collections a question reaches: those named, each of which must be readable; or all of the user's own and, as far as there is room
     * beside them, the newest of those shared with her, so that nobody can keep her from asking. Only those with content.
     */
    searched(user: string, named?: readonly string[]): string[] {
      const withContent = (ids: string[]) => documents.searchable(JSON.stringify(ids))
      if (named) return withContent([...new Set(named)].map(id => self.readable(user, id).id))
      const visible = collections.allVisible(user, -1)
      const own = withContent(visible.filter(({ access }) => access === 'owner').map(({ id }) => id))
      if (own.length > SEARCHED_MAX) {
        throw failure(
          'invalid_request',
          `You have ${own.length} collections; name at most ${SEARCHED_MAX} of them in collection_ids`,
        )
      }
      const shared = withContent(visible.filter(({ access }) => access !== 'owner').map(({ id }) => id))
      return [...own, ...shared].slice(0, SEARCHED_MAX)
    },

    /** A page of what the user may read, newest first. */
    list(user: string, limit: number, cursor?: string) {
      self.home(user)
      const rows = collections.allVisible(user, limit + 1, cursor ?? null)
      const page = rows.slice(0, limit)
      return { collections: page.map(view), next_cursor: rows.length > limit ? (page.at(-1)?.id ?? null) : null }
    },

    /** One collection; its owner also sees with whom it is shared. */
    one(user: string, id: string) {
      const collection = self.readable(user, id)
      return { ...view(collection), ...(collection.access === 'owner' && { grants: collections.grants(id) }) }
    },

    create(user: string, { name, description = '' }: { name: string; description?: string }): CollectionRow {
      self.home(user)
      return transaction(() => {
        if (collections.named(user, name)) throw failure('conflict', 'You have a collection of that name')
        if (collections.count(user) >= COLLECTIONS_MAX)
          throw failure('conflict', `You have ${COLLECTIONS_MAX} collections, the most allowed`)
        return collections.insert({ owner: user, name, description })
      })
    },

    update(user: string, id: string, change: { name?: string; description?: string }): VisibleCollection {
      return transaction(() => {
        const collection = self.owned(user, id)
        const changed = { ...collection, ...change }
        if (changed.name !== collection.name) {
          if (collection.name === HOME) throw failure('conflict', `The collection "${HOME}" keeps its name`)
          if (collections.named(user, changed.name)) throw failure('conflict', 'You have a collection of that name')
        }
        collections.update({ id, name: changed.name, description: changed.description })
        return changed
      })
    },

    /** A collection the user may erase: her own, but not the one everyone has. */
    erasable(user: string, id: string): VisibleCollection {
      const collection = self.owned(user, id)
      if (collection.name === HOME) throw failure('conflict', `The collection "${HOME}" stays; erase the documents in it`)
      return collection
    },

    grant(user: string, id: string, other: string, access: GrantRow['access']) {
      transaction(() => {
        const collection = self.owned(user, id)
        if (other === user) throw failure('conflict', 'You own this collection')
        const grants = collections.grants(id)
        if (!grants.some(({ user_id }) => user_id === other)) {
          if (grants.length >= GRANTS_MAX)
            throw failure('conflict', `This collection is shared with ${GRANTS_MAX} users, the most allowed`)
          if (collections.sharedWith(other) >= SHARED_MAX)
            throw failure('conflict', `${SHARED_MAX} collections are shared with that user, the most allowed`)
        }
        collections.grant(collection.id, other, access)
      })
    },

    /** Takes a grant back. The owner may take back any, everyone her own. */
    /** A collection whose share with `other` the user may end: her own, or one that is shared with her. */
    leavable(user: string, id: string, other: string): VisibleCollection {
      return other === user ? self.readable(user, id) : self.owned(user, id)
    },

    revoke(user: string, id: string, other: string) {
      self.leavable(user, id, other)
      if (collections.revoke(id, other) === 0) throw failure('not_found')
    },
  }
  return self
}
