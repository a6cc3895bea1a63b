/**
 * The faults of the simulated world. Swarm testing (Groce et al., 2012): each seed leaves each class out with an even
 * chance, so that rare combinations are not drowned by the common ones, and draws how strong the others are.
 */
import type { Draw } from './draw.ts'

/** How likely an attempt (a write, a commit, a pull) is to meet the fault. */
const CHANCES = [
  'handlerThrows', 'handlerOverloaded', 'handlerLosesConnection', 'handlerHangs', 'handlerLate', 'handlerUndefined',
  'sinkThrows', 'sinkPartial', 'sinkRejects', 'sinkLosesReply', 'letterFails', 'commitFails', 'commitLosesReply',
  'pullFails', 'foreignProgress', 'stall',
] as const // biome-ignore format: a list reads better in rows

/** Milliseconds between two of them, on average. */
const EVENTS = [
  'callsDown', 'sinkDown', 'letterDown', 'revoke', 'lose', 'crash', 'drain', 'stop', 'pause', 'limits', 'heap',
] as const // biome-ignore format: a list reads better in rows

export type FaultChance = (typeof CHANCES)[number]
export type FaultEvent = (typeof EVENTS)[number]
export type Faults = Record<FaultChance, number> & Record<FaultEvent, number>

export function noFaults(): Faults {
  const none = Object.fromEntries(CHANCES.map((name) => [name, 0]))
  return { ...none, ...Object.fromEntries(EVENTS.map((name) => [name, Number.POSITIVE_INFINITY])) } as Faults
}

export function swarm(draw: Draw): Faults {
  const faults = noFaults()
  for (const name of CHANCES) if (draw.chance(0.5)) faults[name] = draw.logUniform(0.002, 0.3)
  for (const name of EVENTS) if (draw.chance(0.5)) faults[name] = draw.logUniform(300, 20_000)
  return faults
}

export const FAULT_EVENTS: readonly FaultEvent[] = EVENTS
