// The stream of erasures in Redis: whoever holds a copy of a document (or anything of a user) reads it from a saved cursor and lets go.
// An entry with a document names it, its versions and who erased it; an entry with only a user says that everything of hers goes.

export const ERASURES_STREAM = 'erasures'
/** Entries kept, about; a holder that is further behind than this must look for itself. */
export const ERASURES_MAX = 1_000_000
/** Where a holder notes the id of the last entry it has followed; a receipt is pending until every holder's note has reached it. */
export const cursorKey = (holder: ErasureHolder) => `${ERASURES_STREAM}:cursor:${holder}`

/** Who keeps copies of documents outside rag's own store. */
export const erasureHolders = ['agent'] as const
export type ErasureHolder = (typeof erasureHolders)[number] | 'rag'

/** Fields of an entry. */
export interface ErasureEntry {
  user: string
  document?: string
  /** Separated by commas. */
  versions?: string
}
