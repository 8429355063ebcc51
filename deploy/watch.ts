// Starts parts again when their sources change, while developing.
import { watch } from 'node:fs'
import { resolve } from 'node:path'
import { root } from './plans.ts'
import type { Stack } from './stack.ts'

/** Quiet after the last change before parts are started again, in milliseconds: an editor writes a file in several steps. */
const QUIET_MS = 150

/** Watches the sources of every part of `stack`, starts the affected parts again, and returns what ends the watching. */
export function watchSources(stack: Pick<Stack, 'plans' | 'restart'>, say: (sentence: string) => void): () => void {
  const changed = new Set<string>()
  let timer: NodeJS.Timeout | undefined
  let busy = Promise.resolve()

  async function restart() {
    const affected = stack.plans.filter(({ sources }) => sources.some(source => changed.has(source)))
    changed.clear()
    for (const { name } of affected) {
      say(`${name} starts again, its sources changed`)
      await stack.restart(name).catch(error => say(`${error.message}\n${name} stays down until its sources change again.`))
    }
  }

  const watchers = [...new Set(stack.plans.flatMap(({ sources }) => sources))].map(source =>
    watch(resolve(root, source), { recursive: true }, () => {
      changed.add(source)
      clearTimeout(timer)
      timer = setTimeout(() => {
        busy = busy.then(restart)
      }, QUIET_MS)
    }),
  )
  return () => {
    clearTimeout(timer)
    for (const watcher of watchers) watcher.close()
  }
}
