// How what comes in is held to its schema. Nothing is converted, but for numbers in addresses and variables, which can only arrive as
// text: one is taken when it is written as a number, and never rounded into another.
import type { FastifySchemaCompiler } from 'fastify'
import Type, { type TSchema } from 'typebox'
import { Compile } from 'typebox/compile'

/** `given`, with the texts that are numbers as such where `schema` wants one. */
export function withNumbers(schema: TSchema, given: object): Record<string, unknown> {
  const { properties = {} } = schema as { properties?: Record<string, TSchema> }
  const wanted = (name: string) => Type.IsInteger(properties[name]) || Type.IsNumber(properties[name])
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => [
      name,
      typeof value === 'string' && wanted(name) && /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value,
    ]),
  )
}

/** Fastify's validator: closed objects, no coercion. */
export const validator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const compiled = Compile(schema)
  return (value: unknown) => {
    const read = httpPart !== 'body' && value ? withNumbers(schema, value) : value
    return compiled.Check(read) ? { value: read } : { error: compiled.Errors(read) as never }
  }
}
