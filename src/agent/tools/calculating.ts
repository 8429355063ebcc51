// The thread that calculates, and the only place that knows mathjs. An expression is parsed, every part of it is held to what is listed
// here, and only then worked out: no assignment, no strings, no objects, no access to members, no function that reaches the library itself.
import { parentPort } from 'node:worker_threads'
import { all, create, type FunctionNode, type MathNode, type OperatorNode, type SymbolNode } from 'mathjs'

const DIGITS_SHOWN = 32
/** Calculated with more digits than are shown, so that 0.1 + 0.2 is 0.3. */
const math = create(all ?? {}, { number: 'BigNumber', precision: 40 })

const parts = new Set([
  'ConstantNode',
  'ParenthesisNode',
  'OperatorNode',
  'RelationalNode',
  'ConditionalNode',
  'ArrayNode',
  'FunctionNode',
  'SymbolNode',
])
const constants = new Set(['pi', 'e', 'tau', 'phi', 'i', 'true', 'false', 'Infinity', 'NaN'])
const functions = new Set(
  `abs ceil floor round fix sign sqrt cbrt nthRoot square cube pow exp expm1 log log1p log2 log10 mod gcd lcm hypot
  sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh sec csc cot
  min max sum prod mean median mode std variance factorial combinations permutations gamma isPrime to`.split(/\s+/),
)

function demandListed(node: MathNode, path: string, parent: MathNode | null) {
  if (!parts.has(node.type)) throw new Error('only arithmetic is done here')
  if (node.type === 'ConstantNode' && typeof (node as unknown as { value: unknown }).value === 'string')
    throw new Error('texts are not calculated with')
  if (node.type === 'OperatorNode' && (node as OperatorNode).op === "'") throw new Error('matrices are not calculated with')
  if (node.type === 'FunctionNode') {
    const { name } = (node as FunctionNode).fn as SymbolNode
    if (!functions.has(name)) throw new Error(`there is no function "${name}"`)
  }
  if (node.type === 'SymbolNode' && !(parent?.type === 'FunctionNode' && path === 'fn')) {
    const { name } = node as SymbolNode
    if (!constants.has(name) && !math.Unit.isValuelessUnit(name)) throw new Error(`there is no "${name}"`)
  }
}

parentPort?.on('message', (expression: string) => {
  try {
    const parsed = math.parse(expression)
    parsed.traverse(demandListed)
    const result = math.format(parsed.evaluate({}), { precision: DIGITS_SHOWN, lowerExp: -9, upperExp: DIGITS_SHOWN })
    parentPort?.postMessage({ result })
  } catch (error) {
    parentPort?.postMessage({ fault: (error as Error).message })
  }
})
parentPort?.postMessage({})
