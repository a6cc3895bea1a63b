/**
 * Options as people may look at them: one name and one plain value each, nested ones as `tls.servername`. A connector
 * makes its own from its schema, the runtime those of the stages. Invariant: the value of a credential is replaced here,
 * where the options are, so that it is in no document, whoever asks.
 */
import type { z } from 'zod'
import { isCredential, MASK, mask, soundsSecret } from './secrets.ts'

/** By name, in the order of the schema. Null: none. */
export type ShownOptions = Readonly<Record<string, string | number | boolean | null>>

const MOST_CHARACTERS = 200
const MOST_LISTED = 20
const DEEPEST = 5

/** Of values as `schema` parsed them. Without a schema, names alone tell what is a credential. */
export function shownOptions(values: object, schema: z.ZodType | null = null): ShownOptions {
  const shown: Record<string, string | number | boolean | null> = {}
  collect(shown, [], values, schema === null ? [] : [schema])
  return shown
}

function collect(
  shown: Record<string, string | number | boolean | null>,
  path: readonly string[],
  value: unknown,
  schemas: readonly z.ZodType[],
): void {
  const alternatives = schemas.flatMap(inside)
  const name = path.join('.')
  if (value === undefined) return
  if (path.length > 0 && value !== null && (alternatives.some(isCredential) || soundsSecret(path))) shown[name] = MASK
  else if (!isPlain(value) || path.length >= DEEPEST) shown[name] = plain(value)
  else {
    for (const [key, part] of Object.entries(value)) {
      const below = alternatives.map((schema) => leadsOf(schema).shape?.[key]).filter((schema) => schema !== undefined)
      collect(shown, [...path, key], part, below)
    }
  }
}

/** What zod says of a schema, as far as it leads to another one. */
interface Leads {
  readonly innerType?: z.ZodType
  readonly in?: z.ZodType
  readonly options?: readonly z.ZodType[]
  readonly shape?: Readonly<Record<string, z.ZodType>>
}

function leadsOf(schema: z.ZodType): Leads {
  return schema.def as Leads
}

/** The schema and all that it may stand for: through defaults, unions and transforms. */
function inside(schema: z.ZodType): z.ZodType[] {
  const { innerType, in: input, options = [] } = leadsOf(schema)
  const within = [innerType, input, ...options].filter((lead) => lead !== undefined)
  return [schema, ...within.flatMap(inside)]
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function plain(value: unknown): string | number | boolean | null {
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return value
  if (typeof value === 'string') return short(mask(value))
  if (typeof value === 'function') return 'a function'
  if (value instanceof RegExp) return short(String(value))
  if (value instanceof Uint8Array) return `${value.byteLength} bytes`
  if (Array.isArray(value)) {
    const listed = value.slice(0, MOST_LISTED).map((one) => String(plain(one)))
    return short(listed.join(', ') + (value.length > MOST_LISTED ? ', …' : ''))
  }
  const kind: unknown = (value as object).constructor?.name
  return typeof kind === 'string' && kind !== '' && kind !== 'Object' ? `a ${kind}` : 'an object'
}

function short(text: string): string {
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…` : text
}
