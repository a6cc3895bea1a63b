/** Tells dead letters from other values, for sinks that take both. Invariant: whatever it says yes to has the shape. */
import type { DeadLetter } from './connector.ts'

export function isDeadLetter(value: unknown): value is DeadLetter {
  if (typeof value !== 'object' || value === null) return false
  const { reason, stage, attempts, failedAtMs, origin } = value as Partial<DeadLetter>
  const told = typeof stage === 'string' && typeof attempts === 'number' && typeof failedAtMs === 'number'
  const why = typeof reason?.code === 'string' && typeof reason.message === 'string'
  return told && why && 'value' in value && typeof origin?.partition === 'string' && typeof origin.offset === 'number'
}
