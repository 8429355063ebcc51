// A process that writes a collection until it is killed: version after version of a few documents, each passage naming its version.
// Prints a line for every version once it is published.
import { openCollection } from '../../src/rag/store/collection.ts'

const [dir = '', from = '0'] = process.argv.slice(2)
const file = openCollection(dir, 'm')
for (let n = Number(from); ; n++) {
  const document = `d${n % 3}`
  const passages = Array.from({ length: 5 }, (_, i) => ({ start_byte: i, end_byte: i + 1, content: `word${n} common part${i}` }))
  for (const passage of passages) file.append(document, `v${n}`, [passage], new Float32Array(8).fill(n))
  file.publish(document, `v${n}`)
  if (n % 7 === 0) file.remove(`d${(n + 1) % 3}`)
  process.stdout.write(`${n}\n`)
}
