/**
 * Checks options with zod. `openLog`, its methods, the source and the sink call `checked`; a wrong option throws
 * `HG_OPTION_INVALID` that names the path, what was expected and what came. Each schema's error text is the
 * expectation alone, the sentence around it is made here.
 */
import { z } from 'zod'
import { HeadgateError } from '../../model/errors.ts'

/** Returns the parsed options of `call` (for example `log.source`), or throws `HG_OPTION_INVALID`. */
export function checked<S extends z.ZodType>(call: string, schema: S, given: unknown): z.output<S> {
  const result = schema.safeParse(given)
  if (result.success) return result.data
  const faults = result.error.issues.map((issue) => sentence(issue, given))
  throw new HeadgateError('HG_OPTION_INVALID', `${call}: ${faults.join('; ')}`)
}

function sentence(issue: z.core.$ZodIssue, given: unknown): string {
  const path = issue.path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('')
  const name = path.replace(/^\./, '') || 'options'
  if (issue.code === 'unrecognized_keys') return `unknown option ${issue.keys.map((key) => `'${key}'`).join(', ')}`
  let value: unknown = given
  for (const part of issue.path) value = (value as Record<PropertyKey, unknown> | null | undefined)?.[part]
  return `${name} must be ${issue.message}, got ${shown(value)}`
}

function shown(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (typeof value === 'string') return `'${value.length > 60 ? `${value.slice(0, 60)}…` : value}'`
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return String(value)
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

export function integer(min: number, max: number): z.ZodType<number> {
  const error = `an integer from ${min} to ${max}`
  return z.number({ error }).int({ error }).min(min, { error }).max(max, { error })
}

/** Any function; what it takes and returns is checked by the compiler. */
export function fn<F>(): z.ZodType<F> {
  return z.custom<F>((value) => typeof value === 'function', { error: 'a function' })
}

const nameError = "1 to 200 letters, digits, '.', '_', ':' or '-'"
export const name: z.ZodType<string> = z
  .string({ error: nameError })
  .regex(/^[A-Za-z0-9._:-]{1,200}$/, { error: nameError })

export const directory: z.ZodType<string> = z
  .string({ error: 'the path of a directory' })
  .min(1, { error: 'the path of a directory' })

export const partitions: z.ZodType<number> = integer(1, 256)
export const offset: z.ZodType<number> = integer(0, Number.MAX_SAFE_INTEGER)
export const start = z.union([offset, z.literal(['earliest', 'latest'])], {
  error: "an offset of at least 0, 'earliest' or 'latest'",
})

export const retention = z.strictObject(
  { bytes: integer(1, Number.MAX_SAFE_INTEGER).optional(), ageMs: integer(1, Number.MAX_SAFE_INTEGER).optional() },
  { error: 'an object with bytes, ageMs or both' },
)
