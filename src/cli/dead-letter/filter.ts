/**
 * Which dead letters a command is about: the filter options and the times they are written with. `list` and `replay`
 * have the same ones, so that what is listed is what would be replayed.
 */
import { InvalidArgumentError } from 'commander'
import { parseDuration } from '../../model/units.ts'
import type { Letter } from './letter.ts'

export interface FilterOptions {
  readonly stage?: string
  readonly code?: string
  readonly key?: string
  /** Epoch milliseconds of the failure; inclusive. */
  readonly since?: number
  /** Exclusive, so that two commands with a common bound share no letter. */
  readonly until?: number
  /** The first so many that match, oldest first. */
  readonly limit?: number
}

export function matches(letter: Letter, { stage, code, key, since, until }: FilterOptions): boolean {
  return (
    (stage === undefined || letter.stage === stage) &&
    (code === undefined || letter.reason.code.toUpperCase() === code.toUpperCase()) &&
    (key === undefined || letter.key === key) &&
    (since === undefined || letter.failedAtMs >= since) &&
    (until === undefined || letter.failedAtMs < until)
  )
}

/** `2h` (ago) or `2026-11-25T10:00:00Z` → epoch milliseconds. */
export function moment(text: string, nowMs = Date.now()): number {
  const agoMs = parseDuration(text)
  if (agoMs !== null) return nowMs - agoMs
  const atMs = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(atMs)) {
    throw new InvalidArgumentError(
      `'${text}' is not a time: use 2h for two hours ago, or 2026-01-31T10:00:00Z; a time without Z is local.`,
    )
  }
  return atMs
}
