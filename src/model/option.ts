/**
 * What messages about wrong options are made of, and the checks for connectors with a handful of them. The builder
 * writes its messages with the same words. Invariant: the only thing thrown is `HG_OPTION_INVALID`, and every message
 * says where, what was expected and what came.
 */
import { HeadgateError } from './errors.ts'
import { formatNumber, parseBytes, parseDuration } from './units.ts'

/** A value and its type, in a few words; safe for anything. */
export function show(value: unknown): string {
  try {
    switch (typeof value) {
      case 'string':
        return `${JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)} (string)`
      case 'number':
        return `${Object.is(value, -0) ? '-0' : Math.abs(value) < 1e15 ? shownNumber(value) : value} (number)`
      case 'bigint':
        return `${String(value).slice(0, 40)}n (bigint)`
      case 'boolean':
        return `${value} (boolean)`
      case 'function':
        return value.name ? `the function ${value.name.slice(0, 40)}` : 'a function'
      case 'symbol':
        return 'a symbol'
      case 'undefined':
        return 'undefined'
      default:
        return showObject(value as object | null)
    }
  } catch {
    return `a value of type ${typeof value}`
  }
}

function shownNumber(value: number): string {
  return Number.isInteger(value) ? formatNumber(value) : String(value)
}

function showObject(value: object | null): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return `an array of ${value.length}`
  const kind: unknown = value.constructor?.name
  return typeof kind === 'string' && kind !== '' && kind !== 'Object' ? `a ${kind.slice(0, 40)}` : 'an object'
}

/** `'2s'` where milliseconds belong → 2000, `'64MiB'` where bytes belong → 67108864, `'5'` → 5; else null. */
export function suggestNumber(given: unknown, unit: string): number | null {
  if (typeof given !== 'string' || given.length > 40) return null
  const text = given.trim().replaceAll(/[_,](?=\d)/g, '')
  if (/^-?\d+(\.\d+)?$/.test(text)) return Number(text)
  if (unit === 'milliseconds') return parseDuration(text.replaceAll(' ', ''))
  if (unit === 'bytes') return parseBytes(text)
  return null
}

export interface IntegerRange {
  readonly min: number
  readonly max: number
  /** `records`, `bytes`, `milliseconds` …, or empty. */
  readonly unit: string
}

/** Returns `value`, or throws when it is no integer of the range. */
export function checkInteger(where: string, value: unknown, { min, max, unit }: IntegerRange): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value
  const meant = suggestNumber(value, unit)
  const expected = `an integer from ${formatNumber(min)} to ${formatNumber(max)}${unit && ` (${unit})`}`
  throw unexpected(where, expected, value, meant === null ? '' : `; did you mean ${meant}?`)
}

/** The error that says where, what was expected and what came. */
export function unexpected(where: string, expected: string, value: unknown, hint = ''): HeadgateError {
  return new HeadgateError('HG_OPTION_INVALID', `${where}: expected ${expected}, got ${show(value)}${hint}`)
}

/** The options of one call, `memory.sink` say. Options that are not `known` are refused at once. */
export class OptionCheck<O extends object> {
  readonly #call: string
  readonly #given: Readonly<Record<string, unknown>>

  constructor(call: string, given: O, known: Readonly<Record<keyof O & string, true>>) {
    if (typeof given !== 'object' || given === null || Array.isArray(given)) {
      throw unexpected(call, 'an object of options', given)
    }
    this.#call = call
    this.#given = given as Readonly<Record<string, unknown>>
    const foreign = Object.keys(given).filter((name) => !Object.hasOwn(known, name))
    if (foreign.length === 0) return
    const unknown = foreign.map((name) => `\`${name.slice(0, 60)}\``).join(', ')
    const options = Object.keys(known).map((name) => `\`${name}\``)
    throw new HeadgateError(
      'HG_OPTION_INVALID',
      `${call}: unknown option ${unknown}; the options here are ${options.join(', ')}`,
    )
  }

  /** An integer of the range, or `fallback` when it is left out. */
  integer(name: keyof O & string, fallback: number, range: IntegerRange): number {
    return checkInteger(`${this.#call} › ${name}`, this.#given[name] ?? fallback, range)
  }

  /** Throws unless these are functions or left out. */
  functions(...names: (keyof O & string)[]): void {
    for (const name of names) {
      const value = this.#given[name]
      if (value !== undefined && typeof value !== 'function') throw this.refusal(name, 'a function')
    }
  }

  /** Throws unless these are a text that says something, or left out. */
  texts(...names: (keyof O & string)[]): void {
    for (const name of names) {
      const value = this.#given[name]
      if (value !== undefined && (typeof value !== 'string' || value === '')) throw this.refusal(name, 'a text')
    }
  }

  /** Throws unless these are true, false or left out. */
  booleans(...names: (keyof O & string)[]): void {
    for (const name of names) {
      const value = this.#given[name]
      if (value !== undefined && typeof value !== 'boolean') throw this.refusal(name, 'true or false')
    }
  }

  /** The error for an option that is not what was expected. */
  refusal(name: keyof O & string, expected: string): HeadgateError {
    return unexpected(`${this.#call} › ${name}`, expected, this.#given[name])
  }
}
