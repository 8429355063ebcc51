// A folder for what a test starts. The runner's own testdir goes before anything is torn down: what still writes there keeps it from going,
// and then nothing that follows is ended.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A new folder; it goes after all that is torn down with the test from here on. */
export function folder(t: { teardown(action: () => unknown): void }): string {
  const dir = mkdtempSync(join(tmpdir(), 'test-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}
