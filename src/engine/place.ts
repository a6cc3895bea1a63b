/** A place where work can wait, as the stage that it belongs to shows it. Its name follows from its owner and its kind. */
import type { PlaceKind, PlaceStatus } from '../model/status.ts'
import { formatCount } from '../model/units.ts'

export type Place = Omit<PlaceStatus, 'seconds'>

/** `limitRecords`: the most it may hold; null when something else bounds it. */
export function place(
  owner: string,
  kind: PlaceKind,
  records: number,
  bytes: number,
  limitRecords: number | null,
): Place {
  return { name: placeName(owner, kind), kind, owner, records, bytes, limitRecords }
}

/** A batch stage is a place itself; all others have places: `fraud queue`, `fraud in call`. */
export function placeName(owner: string, kind: PlaceKind): string {
  return kind === 'batch' ? owner : `${owner} ${kind.replace('-', ' ')}`
}

/** What a drain waits for at a call stage, in words; null when nothing. `reason`: why no waiting attempt starts. */
export function waitForCalls(stage: string, calls: number, waiting: number, reason: string): string | null {
  if (calls + waiting === 0) return null
  const parts: string[] = []
  if (calls > 0) parts.push(formatCount(calls, 'call'))
  if (waiting > 0) parts.push(`${formatCount(waiting, 'waiting attempt')} (${reason})`)
  return `${parts.join(' and ')} of '${stage}'`
}
