/**
 * Since when what a stage's attempts cost is comparable. What an attempt takes beside few others, and what small writes
 * cost beside large ones, is learned over the whole run; once attempts of the same size, or beside as many others, cost
 * clearly more or less than before, the downstream or the code has become another one, and what was learned of the old
 * one is forgotten. `Doctor` owns one.
 */
import type { DurationSums } from '../model/status.ts'
import { durationsBetween, type Window } from './window.ts'

/** So many times as much, or as little, is another era. */
const CHANGED = 1.5
/** Attempts in the window, and before it, for a comparison. */
const LEAST_NOW = 8
const LEAST_BEFORE = 30

export class Eras {
  readonly #began = new Map<string, DurationSums>()

  observe({ from, stages }: Window): void {
    if (from === null) return
    for (const { status, durations: now } of stages) {
      const at = from.stages.find(({ name }) => name === status.name)?.durations
      if (at !== undefined && changed(durationsBetween(this.#began.get(status.name), at), now))
        this.#began.set(status.name, status.durations)
    }
  }

  /** The sums of the present era. */
  of(stage: string, durations: DurationSums): DurationSums {
    return durationsBetween(this.#began.get(stage), durations)
  }
}

function changed(before: DurationSums, now: DurationSums): boolean {
  return (
    now.byInFlight.some(({ fromInFlight, count, ms }) => {
      const same = before.byInFlight.find((other) => other.fromInFlight === fromInFlight)
      return same !== undefined && differs(same.ms, same.count, ms, count)
    }) ||
    now.bySize.some(({ fromRecords, count, cpuMs }) => {
      const same = before.bySize.find((other) => other.fromRecords === fromRecords)
      return same !== undefined && differs(same.cpuMs, same.count, cpuMs, count)
    })
  )
}

function differs(before: number, beforeCount: number, now: number, nowCount: number): boolean {
  if (beforeCount < LEAST_BEFORE || nowCount < LEAST_NOW || before <= 0 || now <= 0) return false
  const ratio = now / nowCount / (before / beforeCount)
  return ratio > CHANGED || ratio < 1 / CHANGED
}
