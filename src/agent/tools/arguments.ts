// Arguments of a tool, held to its schema before it runs. Nothing is converted and nothing is guessed.
import type { Static, TSchema } from 'typebox'
import Value from 'typebox/value'
import { failure } from '../../platform/errors.ts'

/** The arguments as what the schema says they are. Throws a failure that says what is wrong, for who wrote them to mend. */
export function demand<Schema extends TSchema>(name: string, schema: Schema, given: unknown): Static<Schema> {
  const [fault] = Value.Errors(schema, given)
  if (fault)
    throw failure('invalid_request', `The arguments of ${name} are not valid: ${fault.instancePath || '/'} ${fault.message}`)
  return given as Static<Schema>
}
