/** The check that the places where work waits add up to what the gate let in: nothing can hide between two of them. */
import type { PlacesCheck } from '../model/diagnosis.ts'
import type { Status } from '../model/status.ts'

export function placesCheck({ places, admission: { records: admitted }, stages }: Status): PlacesCheck {
  const records = places.reduce((sum, place) => sum + (place.kind === 'backlog' ? 0 : (place.records ?? 0)), 0)
  // One record may be several items there, or several records one.
  const kinds = stages.map(({ kind }) => kind)
  const batchAt = kinds.indexOf('batch')
  const regroups =
    kinds.includes('flatMap') ||
    (batchAt >= 0 && kinds.slice(batchAt).some((kind) => kind === 'call' || kind === 'map'))
  return { records, admitted, holds: regroups ? null : records === admitted }
}
