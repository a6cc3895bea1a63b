/** A place where work can wait, as the stage that it belongs to shows it. Its name follows from its owner and its kind. */
import type { PlaceKind, PlaceStatus } from '../model/status.ts'

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
