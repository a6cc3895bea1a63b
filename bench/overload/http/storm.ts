/**
 * The retry storm, over HTTP and in the model: what a naive client and Headgate complete each second before, during
 * and after a trigger that lasts a few seconds. The naive client stays down long after it; that is what is shown.
 */
import type { MakeGate } from '../../../src/sim/run.ts'
import { simulate } from '../../../src/sim/run.ts'
import type { Scenario } from '../../../src/sim/scenario.ts'
import { Fixed } from '../algorithms/fixed.ts'
import { HEADGATE } from '../algorithms/registry.ts'
import { type OverloadRow, row } from '../verdict.ts'
import { MODEL } from './compare.ts'
import { NAIVE_CONCURRENCY } from './scenarios.ts'

export const NAIVE = 'naive'
const LEAST_AFTER = 0.9
const MOST_AFTER_NAIVE = 0.5

/** Completions a second of each phase. */
export type StormRun = readonly { readonly name: string; readonly perSecond: number }[]

export interface StormRuns {
  readonly http: { readonly headgate: StormRun; readonly naive: StormRun }
  readonly model: { readonly headgate: StormRun; readonly naive: StormRun }
}

interface Counted {
  readonly name: string
  readonly durationMs: number
  readonly successes: number
}

export function stormOf(phases: readonly Counted[]): StormRun {
  return phases.map(({ name, durationMs, successes }) => ({ name, perSecond: (successes * 1000) / durationMs }))
}

export function stormInModel(scenario: Scenario, seed: number, headgate: MakeGate): StormRuns['model'] {
  const run = (makeGate: MakeGate): StormRun => stormOf(simulate(scenario, seed, makeGate).phases)
  return { headgate: run(headgate), naive: run(() => new Fixed(NAIVE_CONCURRENCY)) }
}

/** The last phase ÷ the first. */
export function afterShare(run: StormRun): number {
  return (run.at(-1)?.perSecond ?? Number.NaN) / (run[0]?.perSecond ?? Number.NaN)
}

export function stormRows(name: string, { http, model }: StormRuns): OverloadRow[] {
  const phases = http.headgate.map((phase, index) =>
    row(
      `${name} · ${phase.name}`,
      'completions a second',
      new Map([
        [HEADGATE, phase.perSecond],
        [NAIVE, http.naive[index]?.perSecond ?? Number.NaN],
        [MODEL, model.headgate[index]?.perSecond ?? Number.NaN],
        [`${NAIVE}, ${MODEL}`, model.naive[index]?.perSecond ?? Number.NaN],
      ]),
      {},
    ),
  )
  const shares = { headgate: afterShare(http.headgate), naive: afterShare(http.naive) }
  const healed = row(
    `${name} · after ÷ before`,
    'share',
    new Map([
      [HEADGATE, shares.headgate],
      [NAIVE, shares.naive],
      [MODEL, afterShare(model.headgate)],
    ]),
    { least: LEAST_AFTER },
  )
  // Headgate's own figure is no part of this one: the storm has to be one.
  const stuck = row(
    `${name} · naive client, after ÷ before`,
    'share',
    new Map([
      [NAIVE, shares.naive],
      [`${NAIVE}, ${MODEL}`, afterShare(model.naive)],
    ]),
    { most: MOST_AFTER_NAIVE },
  )
  return [...phases, healed, { ...stuck, holds: shares.naive < MOST_AFTER_NAIVE }]
}
