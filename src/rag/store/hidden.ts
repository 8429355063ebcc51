// What a collection's file holds before it is shown: passages of versions on their way. Where an interrupted job goes on, and what goes when
// nobody makes it any more.
import type { Place } from '../chunk.ts'
import type { Row } from './collection.ts'
import type { Database } from './database.ts'

type Flip = (change: (next: number) => { grown: number; changed: boolean }) => object
/** Gives how many of the rows had been visible. */
type Take = (rows: Row[], position: number) => number

export function hiddenOf({ one, all, transaction }: Database, flip: Flip, take: Take) {
  /** What is not shown of a version. The plus keeps the index of all hidden passages out of it, which may be those of a large document on its way. */
  const notShown = (document: string, version: string) =>
    all<Row>('SELECT id, terms, published FROM passages WHERE document = :document AND version = :version AND +published = 0', {
      document,
      version,
    })

  return {
    /** Passages of this version that are here already, shown or not. */
    appended: (document: string, version: string): number =>
      one<{ n: number }>('SELECT count(*) AS n FROM passages WHERE document = :document AND version = :version', {
        document,
        version,
      })?.n ?? 0,

    /**
     * Where a job that cuts a version at `places` goes on: how many of these passages are here. Those of another cut go first, unless they are
     * the version as it is shown, in `shown` passages: that stays, and there is nothing to go on with.
     */
    resume(document: string, version: string, places: readonly Place[], shown?: number): number | undefined {
      const held = all<Place & { published: number }>(
        'SELECT start_byte, end_byte, published FROM passages WHERE document = :document AND version = :version ORDER BY ordinal',
        { document, version },
      )
      const isThisCut = held.every(({ start_byte, end_byte }, i) => {
        const place = places[i]
        return place?.start_byte === start_byte && place.end_byte === end_byte
      })
      if (isThisCut) return held.length
      const visible = held.filter(({ published }) => published > 0).length
      const isWhole = visible > 0 && visible === shown
      flip(position => {
        const rows = all<Row>('SELECT id, terms, published FROM passages WHERE document = :document AND version = :version', {
          document,
          version,
        })
        const gone = take(isWhole ? rows.filter(({ published }) => published === 0) : rows, position)
        return { grown: -gone, changed: gone > 0 }
      })
      return isWhole ? undefined : 0
    },

    notShown,

    /** Removes what is not shown of a version. */
    discard: (document: string, version: string) => transaction(() => void take(notShown(document, version), 0)),

    /** Removes passages that were never shown, of versions nobody is making; returns how many. */
    sweep(keep: { document_id: string; version: string }[]): number {
      const kept = new Set(keep.map(({ document_id, version }) => `${document_id} ${version}`))
      return transaction(() => {
        const hidden = all<Row & { document: string; version: string }>(
          'SELECT id, document, version, published, terms FROM passages WHERE published = 0',
        )
        const left = hidden.filter(({ document, version }) => !kept.has(`${document} ${version}`))
        take(left, 0)
        return left.length
      })
    },
  }
}
