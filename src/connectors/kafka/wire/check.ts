/**
 * Checks options with zod, for the source and the sink. A wrong option throws `HG_OPTION_INVALID` that names the path,
 * what was expected and what came. Invariant: the value of a secret is never shown, whatever is wrong with it.
 */
import { z } from 'zod'
import { HeadgateError } from '../../../model/errors.ts'

/** Options whose values are never shown, by the last part of their path. */
const SECRETS: ReadonlySet<string> = new Set(['password', 'token', 'key', 'passphrase', 'pfx'])

/** Returns the parsed options of `call` (for example `kafka.source`), or throws `HG_OPTION_INVALID`. */
export function checked<S extends z.ZodType>(call: string, schema: S, given: unknown): z.output<S> {
  const result = schema.safeParse(given)
  if (result.success) return result.data
  const faults = result.error.issues.map((issue) => sentence(issue, given))
  throw new HeadgateError('HG_OPTION_INVALID', `${call}: ${faults.join('; ')}`)
}

function sentence(issue: z.core.$ZodIssue, given: unknown): string {
  const path = issue.path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('')
  const name = path.replace(/^\./, '') || 'options'
  if (issue.code === 'unrecognized_keys') {
    return `unknown option ${issue.keys.map((key) => `'${path === '' ? key : `${name}.${key}`}'`).join(', ')}`
  }
  let value: unknown = given
  for (const part of issue.path) value = (value as Record<PropertyKey, unknown> | null | undefined)?.[part]
  const isSecret = issue.path.some((part) => SECRETS.has(String(part)))
  return `${name} must be ${issue.message}, got ${isSecret ? kindOf(value) : shown(value)}`
}

function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value.length > 60 ? `${value.slice(0, 60)}…` : value}'`
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  return kindOf(value)
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'null'
  if (Array.isArray(value)) return `an array of ${value.length}`
  const type = typeof value
  return type === 'object' ? 'an object' : `a ${type}`
}

/** An integer of the range, both ends included. */
export function integer(min: number, max: number): z.ZodType<number> {
  const error = `an integer from ${min} to ${max}`
  return z.number({ error }).int({ error }).min(min, { error }).max(max, { error })
}

/** Any function; what it takes and returns is checked by the compiler. */
export function fn<F>(): z.ZodType<F> {
  return z.custom<F>((value) => typeof value === 'function', { error: 'a function' })
}

/** A text of 1 to 249 characters, as Kafka allows for names of groups and clients. */
export const text: z.ZodType<string> = z
  .string({ error: 'a text of 1 to 249 characters' })
  .min(1, { error: 'a text of 1 to 249 characters' })
  .max(249, { error: 'a text of 1 to 249 characters' })

/** The name of a topic. */
export const topicName: z.ZodType<string> = z
  .string({ error: "1 to 249 letters, digits, '.', '_' or '-'" })
  .regex(/^[A-Za-z0-9._-]{1,249}$/, { error: "1 to 249 letters, digits, '.', '_' or '-'" })
