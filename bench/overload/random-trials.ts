/**
 * The random scenarios: which share of their phases an algorithm passes, and how it fares in its worst one. A phase
 * passes with .9 of the oracle's goodput, a p99 of at most 1.5 × the oracle's, and less than 1 % of waste.
 */
import type { Algorithm } from './algorithms/registry.ts'
import { randomScenario } from './generator.ts'
import { measure, type PhaseScore } from './measure.ts'
import { forgetRuns } from './oracle.ts'
import { gatesOf } from './seeds.ts'

export const LEAST_GOODPUT = 0.9
export const MOST_P99 = 1.5
export const MOST_WASTE = 0.01
export const LEAST_PASSED = 0.85

export interface WorstPhase {
  readonly scenario: string
  readonly phase: PhaseScore
  readonly reached: number
}

export interface RandomScore {
  readonly passed: number
  readonly phases: number
  readonly worst: WorstPhase
}

export function passes(phase: PhaseScore): boolean {
  return phase.goodput >= LEAST_GOODPUT && phase.p99 <= MOST_P99 && phase.wasted < MOST_WASTE
}

/** How much of the three figures is reached where it is least; 1 is a pass. */
export function reached(phase: PhaseScore): number {
  const p99 = Number.isNaN(phase.p99) ? 0 : MOST_P99 / phase.p99
  return Math.min(1, phase.goodput / LEAST_GOODPUT, p99, (1 - phase.wasted) / (1 - MOST_WASTE))
}

/** Each scenario runs once, with its own seed. */
export function runRandom(
  algorithms: readonly Algorithm[],
  seeds: readonly number[],
  say: (text: string) => void,
): Map<string, RandomScore> {
  const scores = new Map<string, { passed: number; phases: number; worst: WorstPhase | null }>()
  for (const { name } of algorithms) scores.set(name, { passed: 0, phases: 0, worst: null })
  seeds.forEach((seed, index) => {
    const scenario = randomScenario(seed)
    for (const algorithm of algorithms) {
      const score = scores.get(algorithm.name)
      if (score === undefined) continue
      for (const phase of measure(scenario, seed, gatesOf(algorithm, seed)).phases) {
        score.phases += 1
        if (passes(phase)) score.passed += 1
        const share = reached(phase)
        if (score.worst === null || share < score.worst.reached) {
          score.worst = { scenario: scenario.name, phase, reached: share }
        }
      }
    }
    forgetRuns()
    if ((index + 1) % 10 === 0) say(`random scenarios: ${index + 1} of ${seeds.length}`)
  })
  return new Map(
    [...scores].map(([name, { passed, phases, worst }]) => [name, { passed, phases, worst: worst as WorstPhase }]),
  )
}
