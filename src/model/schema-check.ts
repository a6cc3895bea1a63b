/**
 * Checks the options of connectors that have many of them, with zod. A wrong one throws `HG_OPTION_INVALID` that names
 * the path, what was expected and what came: each schema's error text is the expectation alone, the sentence around it
 * is made here. Invariant: the value of a secret is never shown, whatever is wrong with it.
 */
import type { z } from 'zod'
import { HeadgateError } from './errors.ts'
import { soundsSecret } from './secrets.ts'

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
  const isSecret = soundsSecret(issue.path.map(String))
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
