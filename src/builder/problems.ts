/**
 * Turns what is wrong with options into one error that says where, what was expected, what came, and what was
 * probably meant. Every check of the builder ends here. Invariant: the only thing thrown is `HG_OPTION_INVALID`.
 */
import type { z } from 'zod'
import { HeadgateError } from '../model/errors.ts'
import { show, suggestNumber } from '../model/option.ts'
import { docOf, objectInside, schemaAt } from './option.ts'
import { isPlainObject } from './recognize.ts'
import { suggestOption } from './suggest.ts'

const MOST_PROBLEMS = 20

/** Throws `HG_OPTION_INVALID` for one problem, or for several in one message. */
export function refuse(...problems: readonly string[]): never {
  if (problems.length === 1) throw new HeadgateError('HG_OPTION_INVALID', problems[0]!)
  const more = problems.length - MOST_PROBLEMS
  const lines = [...problems.slice(0, MOST_PROBLEMS), ...(more > 0 ? [`and ${more} more`] : [])]
  throw new HeadgateError('HG_OPTION_INVALID', `${problems.length} problems:\n  - ${lines.join('\n  - ')}`)
}

/** `pipeline 'payments' › call 'fraud' › retry.attempts`. */
export function place(...parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join(' › ')
}

/**
 * Checks options against their schema and fills in defaults.
 * @param where the path that messages begin with
 */
export function parseOptions<S extends z.ZodType>(schema: S, given: unknown, where: string): z.output<S> {
  if (given !== undefined && !isPlainObject(given)) {
    refuse(`${where}: expected an object of options, got ${show(given)}`)
  }
  let result: z.ZodSafeParseResult<z.output<S>>
  try {
    result = schema.safeParse(given ?? {})
  } catch {
    refuse(`${where}: expected an object of options, got one that cannot be read`)
  }
  if (result.success) return result.data
  const problems = new Map<string, string>()
  collect(schema, given, where, result.error.issues, [], problems)
  refuse(...problems.values())
}

type Issue = z.core.$ZodIssue

function collect(
  schema: z.ZodType,
  given: unknown,
  where: string,
  issues: readonly Issue[],
  above: readonly PropertyKey[],
  problems: Map<string, string>,
): void {
  for (const issue of issues) {
    const path = [...above, ...issue.path]
    const value = valueAt(given, path)
    if (issue.code === 'invalid_union' && isPlainObject(value)) {
      const inner = issue.errors.filter((errors) => errors.some((error) => !isWrongKind(error)))
      if (inner[0]) {
        collect(schema, given, where, inner[0], path, problems)
        continue
      }
    }
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) {
        const line = unknownOption(schema, path, key, where)
        problems.set(JSON.stringify([path.map(String), key]), line)
      }
      continue
    }
    const at = JSON.stringify(path.map(String))
    if (!problems.has(at)) problems.set(at, wrongValue(schema, path, value, where, issue))
  }
}

const isWrongKind = (issue: Issue): boolean =>
  issue.path.length === 0 && (issue.code === 'invalid_type' || issue.code === 'invalid_value')

function unknownOption(schema: z.ZodType, path: readonly PropertyKey[], key: string, where: string): string {
  const level = schemaAt(schema, path)
  const shape = (level && objectInside(level)?.shape) ?? {}
  const known = Object.keys(shape)
  const meant = suggestOption(key, known)
  const unit = meant === null ? '' : (docOf(shape[meant] as z.ZodType)?.unit ?? '')
  const hint =
    meant === null
      ? `; the options here are ${known.map((name) => `\`${name}\``).join(', ')}`
      : `; did you mean \`${meant}\`${unit && ` (${unit})`}?`
  return `${place(where, path.map(String).join('.'))}: unknown option \`${key.slice(0, 60)}\`${hint}`
}

function wrongValue(schema: z.ZodType, path: readonly PropertyKey[], value: unknown, where: string, issue: Issue) {
  const declared = schemaAt(schema, path)
  const doc = declared && docOf(declared)
  const from = place(where, path.map(String).join('.'))
  if (!doc) return `${from}: ${issue.message}, got ${show(value)}`
  const meant = suggestNumber(value, doc.unit)
  const hint = meant === null ? '' : `; did you mean ${meant}?`
  return `${from}: expected ${doc.expected}${doc.unit && ` (${doc.unit})`}, got ${show(value)}${hint}`
}

function valueAt(given: unknown, path: readonly PropertyKey[]): unknown {
  let value = given
  try {
    for (const key of path) value = (value as Record<PropertyKey, unknown> | null | undefined)?.[key]
  } catch {
    return undefined
  }
  return value
}
