/**
 * The errors that the limiter itself gives: its line is full, or too many keys are in use. They say nothing about the
 * downstream, so that a limiter around another one does not take them for its answer.
 */
import { type HeadgateError, overloaded } from '../model/errors.ts'
import { formatNumber } from '../model/units.ts'

const refusals = new WeakSet<object>()

export function isRefusal(error: unknown): boolean {
  return typeof error === 'object' && error !== null && refusals.has(error)
}

export function lineFull(maxWaiting: number): HeadgateError {
  return refusal(
    `limiter: ${formatNumber(maxWaiting)} calls wait already, and the downstream takes no more at this moment. ` +
      'Make calls only as fast as they end (await some before making more), shed this one, or raise `maxWaiting`',
  )
}

export function tooManyKeys(maxKeys: number): HeadgateError {
  return refusal(
    `limiter: ${formatNumber(maxKeys)} keys have calls in flight or waiting, and each needs a limit of its own. ` +
      'Use fewer keys at a time (one a tenant or host, not one a call), or raise `maxKeys`',
  )
}

function refusal(text: string): HeadgateError {
  const error = overloaded(text)
  refusals.add(error)
  return error
}
