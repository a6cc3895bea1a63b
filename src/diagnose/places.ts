/**
 * Where the work waits: every place in records, bytes and seconds, in the order of the flow, and the check that they add
 * up to what the gate let in. Nothing can hide between two places.
 */
import type { PlaceKind, PlacesCheck, WaitingPlace } from '../model/diagnosis.ts'
import type { Status } from '../model/status.ts'

const SUFFIXES: readonly (readonly [suffix: string, kind: PlaceKind])[] = [
  [' backlog', 'backlog'],
  [' prefetch', 'prefetch'],
  [' queue', 'queue'],
  [' lanes', 'lanes'],
  [' in call', 'in-call'],
  [' backoff', 'backoff'],
  [' blocked', 'blocked'],
  [' in write', 'in-write'],
]

export function placesOf(status: Status): WaitingPlace[] {
  return status.places.map((place) => {
    const found = SUFFIXES.find(([suffix]) => place.name.endsWith(suffix))
    const [suffix, kind] = found ?? ['', place.name.includes(' › ') ? 'queue' : 'batch']
    return { ...place, kind, owner: place.name.slice(0, place.name.length - suffix.length) }
  })
}

export function placesCheck(status: Status, places: readonly WaitingPlace[]): PlacesCheck {
  const records = places.reduce((sum, place) => sum + (place.kind === 'backlog' ? 0 : (place.records ?? 0)), 0)
  const admitted = status.admission.records
  // One record may be several items there, or several records one.
  const kinds = status.stages.map(({ kind }) => kind)
  const batchAt = kinds.indexOf('batch')
  const regroups =
    kinds.includes('flatMap') ||
    (batchAt >= 0 && kinds.slice(batchAt).some((kind) => kind === 'call' || kind === 'map'))
  return { records, admitted, holds: regroups ? null : records === admitted }
}
