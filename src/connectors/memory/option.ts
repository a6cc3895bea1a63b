/** Checks the options of the memory connectors. A wrong one throws `HG_OPTION_INVALID` with what was expected. */
import { HeadgateError } from '../../model/errors.ts'

/** Returns `value`, or throws when it is no integer from `min` to `max`. */
export function integer(name: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value
  throw new HeadgateError('HG_OPTION_INVALID', `${name} must be an integer from ${min} to ${max}, got ${String(value)}`)
}
