/**
 * `json(schema)`: the decoder for JSON payloads, checked by any validator that speaks Standard Schema (zod, valibot,
 * arktype …). Sources run it on each record. Invariant: a payload that is not valid throws `HG_RECORD_REJECTED` and
 * says which field; it never quotes the payload.
 */
import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Decoder } from '../model/connector.ts'
import { describe, HeadgateError, reject } from '../model/errors.ts'
import { parseJson } from '../model/json.ts'
import { show } from '../model/option.ts'
import { refuse } from './problems.ts'

/** Bytes and text are parsed; any other payload already is the value. */
function parse(raw: unknown): unknown {
  return typeof raw === 'string' || raw instanceof Uint8Array ? parseJson(raw) : raw
}

/** What JSON.parse makes of a text are strings of their own. */
function readingText<T>(decode: (raw: unknown) => T): Decoder<T> {
  return Object.assign(decode, { readsText: true })
}

const PARSE = readingText(parse)

/** Decodes JSON without looking at what is in it. */
export function json(): Decoder<unknown>
/** Decodes JSON and checks it: the value is what the schema makes of it. The schema must be synchronous. */
export function json<S extends StandardSchemaV1>(schema: S): Decoder<StandardSchemaV1.InferOutput<S>>
export function json(schema?: StandardSchemaV1): Decoder<unknown> {
  if (schema === undefined) return PARSE
  const standard = standardOf(schema)
  return readingText((raw) => check(schema, standard, parse(raw)))
}

function standardOf(schema: unknown): StandardSchemaV1.Props {
  const standard = (schema as Partial<StandardSchemaV1> | null)?.['~standard']
  if (typeof standard?.validate === 'function') return standard
  refuse(`json(schema): expected a Standard Schema (zod 3.24 or later, valibot 1, arktype 2 …), got ${show(schema)}`)
}

function check(schema: StandardSchemaV1, standard: StandardSchemaV1.Props, value: unknown): unknown {
  let result: ReturnType<StandardSchemaV1.Props['validate']>
  try {
    result = standard.validate(value)
  } catch (cause) {
    throw schemaThrew(standard, cause)
  }
  if (isPromise(result)) {
    result.then(undefined, () => {})
    const cause = thrownByZod(schema, value)
    if (cause !== undefined) throw schemaThrew(standard, cause)
    throw new HeadgateError(
      'HG_OPTION_INVALID',
      `json(schema): expected a synchronous schema, got one of ${standard.vendor} that validates asynchronously; ` +
        'decode with the synchronous part and put the rest into a .call',
    )
  }
  if (result.issues) throw reject(summary(result.issues))
  return result.value
}

function schemaThrew(standard: StandardSchemaV1.Props, cause: unknown): HeadgateError {
  return reject(`the ${standard.vendor} schema threw: ${describe(cause)}`, { cause })
}

/**
 * Zod answers with a promise not only when a schema is asynchronous but also when one throws: it tries again
 * asynchronously. That would let one hostile record stop the pipeline, so zod is asked once more, synchronously.
 */
function thrownByZod(schema: StandardSchemaV1, value: unknown): unknown {
  const { safeParse } = schema as { safeParse?: unknown }
  if (typeof safeParse !== 'function') return undefined
  try {
    safeParse.call(schema, value)
    return undefined
  } catch (error) {
    return error instanceof Error && /encountered promise/i.test(error.message) ? undefined : error
  }
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as { then?: unknown }).then === 'function'
}

const MOST_ISSUES = 5

/** `amount: expected a number; card.number: too short; and 2 more`. */
function summary(issues: readonly StandardSchemaV1.Issue[]): string {
  const shown = issues.slice(0, MOST_ISSUES).map(({ path, message }) => {
    const field = (path ?? []).map((part) => String(typeof part === 'object' ? part.key : part)).join('.')
    return field === '' ? message : `${field}: ${message}`
  })
  const more = issues.length - shown.length
  return [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join('; ') || 'the value is not valid'
}
