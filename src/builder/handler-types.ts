/**
 * The shapes of the functions that users write, and the type-level checks on what they return. `flow.ts` uses them in
 * its signatures. Invariant: a refused handler does not compile, and the compiler's message contains the reason.
 */
import type { CallContext } from '../model/plan.ts'
import type { RecordInfo } from '../model/record.ts'

declare const refused: unique symbol

/** A type that no function has; `Why` is what the compiler prints. */
export interface Refused<Why extends string> {
  readonly [refused]: Why
}

/** `any` and `unknown` pass: they may well be values. */
type MayBeUndefined<R> = unknown extends R ? false : undefined extends R ? true : false
type IsPromise<R> = unknown extends R ? false : [Extract<R, PromiseLike<unknown>>] extends [never] ? false : true

export type CallReturns<R> =
  MayBeUndefined<Awaited<R>> extends true
    ? Refused<'a call must return the value to pass on; return its input if there is nothing new'>
    : unknown

export type MapReturns<R> =
  IsPromise<R> extends true
    ? Refused<'map is synchronous and would pass on the promise itself; use .call for asynchronous work'>
    : MayBeUndefined<R> extends true
      ? Refused<'map must return a value; use .tap to only look at it, .filter to leave it out'>
      : unknown

export type TapReturns<R> =
  IsPromise<R> extends true
    ? Refused<'tap is synchronous and would not wait for the promise; use .call for asynchronous work'>
    : unknown

/** `record` says where the value came from; for a batch, its first record. */
export type SyncHandler<T, R> = (value: T, record: RecordInfo) => R

export type CallHandler<T, R> = (value: T, context: CallContext) => R
