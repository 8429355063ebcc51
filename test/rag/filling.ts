// Fills the folder it is given with documents until there is no room, makes room, and goes on; says as JSON what happened. For a test that
// gives it a small disk of its own.
import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Failure } from '../../src/platform/errors.ts'
import { openParts, type Shelf } from './parts.ts'

const [folder = ''] = process.argv.slice(2)
const ballast = join(folder, 'ballast')
await writeFile(ballast, Buffer.alloc(512 * 1024))
const shelf: Shelf = new Map()
const parts = await openParts(folder, shelf, { userBytesMax: Number.MAX_SAFE_INTEGER })
const accepted: { id: string; job_id: string }[] = []
const text = (n: number) => `${n} ${'x'.repeat(900)}`
let code = ''
for (let n = 0; code === ''; n++) {
  await parts.upload('ann', `${n}.txt`, text(n)).then(
    entry => void accepted.push(entry),
    (error: unknown) => {
      code = error instanceof Failure ? error.code : String(error)
    },
  )
}
const left = await readdir(join(folder, 'tmp'))
await rm(ballast)
accepted.push(await parts.upload('ann', 'later.txt', text(-1)))
const ends = await Promise.all(accepted.map(({ job_id }) => parts.ended('ann', job_id)))
const unfinished = ends.filter(({ state, failure }) => state !== 'ready' && failure?.code !== 'storage_full').length
const stored = accepted.filter(({ id }) => parts.documents.one('ann', id).bytes > 900).length
process.stdout.write(JSON.stringify({ code, left, accepted: accepted.length, stored, unfinished }))
await parts.stop()
