// The collection files a worker thread has open: the least recently used one is closed when there are too many.
import { type CollectionFile, openCollection } from '../store/collection.ts'

const OPEN_MAX = 64

/** Gives the open file of a folder; `extra` is made beside it and forgotten with it. */
export function openFiles<Extra>(model: string, extra: (file: CollectionFile, dir: string) => Extra) {
  const open = new Map<string, { file: CollectionFile; extra: Extra }>()

  function close(dir: string) {
    open.get(dir)?.file.close()
    open.delete(dir)
  }
  return {
    close,
    of(dir: string) {
      const known = open.get(dir)
      if (known) open.delete(dir)
      else if (open.size >= OPEN_MAX) close(open.keys().next().value ?? '')
      let held = known
      if (!held) {
        const file = openCollection(dir, model)
        held = { file, extra: extra(file, dir) }
      }
      open.set(dir, held)
      return held
    },
  }
}
