/**
 * Tells what a value is, by its shape: a source, a sink, a failure policy, plain options. The builder asks before it puts
 * a value into a plan, so that a wrong one is refused where it was written and not when the first record arrives.
 * Invariant: never throws, whatever the value (getters that throw and proxies included).
 */
import type { Sink, Source } from '../model/connector.ts'
import type { FailurePolicy } from '../model/plan.ts'

type Shape = Readonly<Record<string, unknown>>

function safely(check: () => boolean): boolean {
  try {
    return check()
  } catch {
    return false
  }
}

const isObject = (value: unknown): value is Shape => typeof value === 'object' && value !== null

const hasMethods = (value: Shape, names: readonly string[]): boolean =>
  names.every((name) => typeof value[name] === 'function')

export const SOURCE_METHODS = ['open', 'pull', 'held', 'commit', 'backlog', 'quiesce', 'close'] as const
export const SINK_METHODS = ['open', 'write', 'close'] as const

export function isSource(value: unknown): value is Source {
  return safely(
    () =>
      isObject(value) &&
      typeof value['name'] === 'string' &&
      isObject(value['capabilities']) &&
      hasMethods(value, SOURCE_METHODS),
  )
}

export function isSink(value: unknown): value is Sink {
  return safely(
    () =>
      isObject(value) &&
      typeof value['name'] === 'string' &&
      isObject(value['capabilities']) &&
      hasMethods(value, SINK_METHODS),
  )
}

export function isFailurePolicy(value: unknown): value is FailurePolicy {
  return safely(
    () =>
      isObject(value) &&
      (value['kind'] === 'stop' ||
        value['kind'] === 'skip' ||
        (value['kind'] === 'deadLetter' && isSink(value['sink']))),
  )
}

/** `{ … }` as an options argument: not an array, a Map, a class instance. */
export function isPlainObject(value: unknown): value is Shape {
  return safely(() => {
    if (!isObject(value) || Array.isArray(value)) return false
    const prototype: unknown = Object.getPrototypeOf(value)
    return prototype === null || Object.getPrototypeOf(prototype) === null
  })
}

/** What is in a plain object; null for anything else, and for an object that cannot be read. */
export function entriesOf(value: unknown): readonly (readonly [string, unknown])[] | null {
  let entries: readonly (readonly [string, unknown])[] | null = null
  safely(() => isPlainObject(value) && (entries = Object.entries(value)) !== null)
  return entries
}

/** True for what is surely declared `async`; a plain function that returns a promise cannot be told. */
export function isAsyncFunction(value: unknown): boolean {
  return safely(() => {
    if (typeof value !== 'function') return false
    const tag = Object.prototype.toString.call(value)
    return tag === '[object AsyncFunction]' || tag === '[object AsyncGeneratorFunction]'
  })
}
