/**
 * Option values as they are typed: durations, counts, sizes, offsets. Each parser either returns the value or throws
 * commander's invalid-argument error with a sentence that shows the right form. Used by the command definitions only.
 */
import { InvalidArgumentError } from 'commander'
import { formatDuration, MAX_TIMER_MS, parseBytes, parseDuration } from '../model/units.ts'

/** `40s`, `1m30s` → milliseconds, at least one. */
export function duration(text: string): number {
  const ms = parseDuration(text)
  if (ms === null) {
    const bare = /^\d+(\.\d+)?$/.test(text)
    throw new InvalidArgumentError(
      bare
        ? `A duration needs a unit: use ${text}s for seconds, ${text}ms for milliseconds, or 1m30s.`
        : `'${text}' is not a duration: use 10s, 1m30s, 500ms or 2h.`,
    )
  }
  if (ms < 1) throw new InvalidArgumentError('It must be at least 1ms.')
  return Math.round(ms)
}

/** A duration that a timer has to wait for. */
export function timerDuration(text: string): number {
  const ms = duration(text)
  if (ms > MAX_TIMER_MS) throw new InvalidArgumentError(`It must be at most ${formatDuration(MAX_TIMER_MS)}.`)
  return ms
}

/** A drain may be given no time at all. */
export function deadline(text: string): number {
  return /^0(ms|s|m|h)?$/.test(text) ? 0 : timerDuration(text)
}

export function positiveCount(text: string): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < 1) {
    throw new InvalidArgumentError(`'${text}' is not a whole number of at least 1.`)
  }
  return value
}

export function offset(text: string): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new InvalidArgumentError(`'${text}' is not an offset: use a whole number from 0 on.`)
  }
  return value
}

export type Start = 'earliest' | 'latest' | number

export function start(text: string): Start {
  if (text === 'earliest' || text === 'latest') return text
  if (!/^\d+$/.test(text))
    throw new InvalidArgumentError(`'${text}' is not a place to start: use earliest, latest or an offset.`)
  return offset(text)
}

/** `64MiB`, `10KB`, `512` → bytes. */
export function byteSize(text: string): number {
  const bytes = parseBytes(text)
  if (bytes === null) throw new InvalidArgumentError(`'${text}' is not a size: use 512, 64MiB or 2GiB.`)
  return bytes
}
