/**
 * How one option is declared: a zod schema together with its unit, range, default and advice. `options.ts` declares
 * all options with these helpers; messages and the reference read the same declaration. Invariant: a number that is
 * checked is the number that is documented, since both come from one place.
 */

import { z } from 'zod'
import { formatNumber } from '../model/units.ts'

/** The largest counts that any option takes: beyond them a number is a mistake. */
export const MOST_RECORDS = 10_000_000
export const MOST_BYTES = 2 ** 40

export interface OptionDoc {
  /** One sentence: what the option does. */
  readonly about: string
  /** What a message says was expected, for example `an integer from 1 to 1,000`. */
  readonly expected: string
  /** What the value counts, or `''`: `milliseconds`, `records`. */
  readonly unit: string
  readonly fallback: string
  readonly raise: string
  readonly lower: string
}

interface Advice {
  readonly about: string
  readonly raise?: string
  readonly lower?: string
}

interface Range extends Advice {
  readonly unit: string
  readonly min: number
  readonly max: number
}

/** What each declared schema means. */
const docs = z.registry<OptionDoc>()

export function docOf(schema: z.ZodType): OptionDoc | undefined {
  return docs.get(schema)
}

function document<S extends z.ZodType>(schema: S, advice: Advice, expected: string, fallback: string, unit = ''): S {
  const { about, raise = '', lower = '' } = advice
  const described = schema.describe(about)
  docs.add(described, { about, expected, unit, fallback, raise, lower })
  return described
}

const between = (range: Range): string => `from ${formatNumber(range.min)} to ${formatNumber(range.max)}`

/** A whole number with a fixed default. */
export function whole(range: Range & { readonly fallback: number }): z.ZodDefault<z.ZodInt> {
  const schema = z.int().min(range.min).max(range.max).default(range.fallback)
  return document(schema, range, `an integer ${between(range)}`, formatNumber(range.fallback), range.unit)
}

/** A whole number whose default depends on other options; `fallback` says how. */
export function wholeOr(range: Range & { readonly fallback: string }): z.ZodOptional<z.ZodInt> {
  const schema = z.int().min(range.min).max(range.max).optional()
  return document(schema, range, `an integer ${between(range)}`, range.fallback, range.unit)
}

/** A number that need not be whole. */
export function decimal(range: Range & { readonly fallback: number }): z.ZodDefault<z.ZodNumber> {
  const schema = z.number().min(range.min).max(range.max).default(range.fallback)
  return document(schema, range, `a number ${between(range)}`, formatNumber(range.fallback), range.unit)
}

/** A number that need not be whole and has no default. */
export function decimalGiven(range: Range): z.ZodNumber {
  return document(
    z.number().min(range.min).max(range.max),
    range,
    `a number ${between(range)}`,
    'must be given',
    range.unit,
  )
}

/** One of a few words; without a default when `fallback` is a sentence. */
export function choice<const W extends readonly [string, ...string[]]>(
  advice: Advice & { readonly words: W; readonly fallback: string },
): z.ZodOptional<z.ZodEnum<{ [K in W[number]]: K }>> {
  const expected = `one of ${advice.words.map((word) => `'${word}'`).join(', ')}`
  return document(z.enum(advice.words).optional(), advice, expected, advice.fallback)
}

/** A short text, without a default when `fallback` is a sentence. */
export function text(advice: Advice & { readonly fallback: string }): z.ZodOptional<z.ZodString> {
  return document(z.string().min(1).max(200).optional(), advice, 'a text of 1 to 200 characters', advice.fallback)
}

/** A value that a helper such as `deadLetter()` makes, recognized by `accepts`. */
export function made<T>(
  advice: Advice & { readonly accepts: (value: unknown) => value is T; readonly expected: string; fallback: string },
): z.ZodOptional<z.ZodCustom<T, T>> {
  return document(z.custom<T>(advice.accepts).optional(), advice, advice.expected, advice.fallback)
}

/** A value of a schema of its own. */
export function described<S extends z.ZodType>(
  schema: S,
  advice: Advice & { readonly expected: string; readonly fallback: string; readonly unit?: string },
): S {
  return document(schema, advice, advice.expected, advice.fallback, advice.unit)
}

/** Looks through defaults, optionals and `false | {…}` for the object inside; null when there is none. */
export function objectInside(schema: z.ZodType): z.ZodObject | null {
  if (schema instanceof z.ZodObject) return schema
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return objectInside(schema.unwrap() as z.ZodType)
  }
  if (!(schema instanceof z.ZodUnion)) return null
  for (const option of schema.options as readonly z.ZodType[]) {
    const inside = objectInside(option)
    if (inside) return inside
  }
  return null
}

/** The schema at `path` below `schema`; null when no option is declared there. */
export function schemaAt(schema: z.ZodType, path: readonly PropertyKey[]): z.ZodType | null {
  let at: z.ZodType | null = schema
  for (const key of path) {
    const shape: Readonly<Record<string, unknown>> | undefined = objectInside(at)?.shape
    at = shape && Object.hasOwn(shape, String(key)) ? (shape[String(key)] as z.ZodType) : null
    if (!at) return null
  }
  return at
}
