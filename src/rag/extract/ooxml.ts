// What Office's XML formats have in common (ECMA-376, part 2): parts in an archive, and relations between them that say which part is
// which. Relations that lead out of the archive are not followed.
import { posix } from 'node:path'
import type { Entries } from './archive.ts'
import { decode } from './encoding.ts'
import { readXml } from './markup.ts'
import { Refusal } from './refusal.ts'

/** A relation: the last word of its type (`slide`, `sharedStrings`), and the name of the part it leads to. */
export type Relation = { id: string; type: string; target: string }

/** The text of a part; throws `damaged` when it is not there. */
export async function partText(entries: Entries, name: string): Promise<string> {
  const bytes = await entries.read(name)
  if (!bytes) throw new Refusal('damaged', '', `the part ${name} is missing`)
  return decode(bytes).text
}

/** The relations of the part `name` (of the whole document for an empty one). */
export async function relationsOf(entries: Entries, name: string): Promise<Relation[]> {
  const folder = posix.dirname(name)
  const bytes = await entries.read(posix.join(folder, '_rels', `${posix.basename(name)}.rels`))
  const relations: Relation[] = []
  if (bytes) {
    readXml(decode(bytes).text, {
      open(tag, { Id = '', Type = '', Target = '', TargetMode }) {
        if (tag !== 'Relationship' || TargetMode === 'External') return
        const target = posix.join('/', Target.startsWith('/') ? '' : folder, Target).slice(1)
        relations.push({ id: Id, type: posix.basename(Type), target })
      },
    })
  }
  return relations
}

/** The part that holds the document itself: the workbook, the presentation. Throws `damaged` when there is none. */
export async function mainPart(entries: Entries): Promise<string> {
  const main = (await relationsOf(entries, '')).find(({ type }) => type === 'officeDocument')
  if (!main) throw new Refusal('damaged', '', 'no relation leads to the document')
  return main.target
}

/** The id of a relation that a tag names: `r:id`, whatever the prefix. */
export function relationId(attributes: Record<string, string>): string | undefined {
  return Object.entries(attributes).find(([name]) => name.endsWith(':id'))?.[1]
}

/** The title in the document's properties, if any. */
export async function titleOf(entries: Entries): Promise<string | undefined> {
  const bytes = await entries.read('docProps/core.xml')
  let title = ''
  let inside = false
  if (bytes) {
    readXml(decode(bytes).text, {
      open(tag) {
        inside = tag === 'title'
      },
      text(part) {
        if (inside) title += part
      },
      close() {
        inside = false
      },
    })
  }
  return title.trim() || undefined
}
