/** The check that the places where work waits add up to what the gate let in: nothing can hide between two of them. */
import type { PlacesCheck } from '../model/diagnosis.ts'
import type { Status } from '../model/status.ts'

export function placesCheck({ places, admission: { records: admitted, items } }: Status): PlacesCheck {
  const records = places.reduce((sum, place) => sum + (place.kind === 'backlog' ? 0 : (place.records ?? 0)), 0)
  return { records, items, admitted, holds: records === items && items > 0 === admitted > 0 }
}
