/**
 * The main scenarios of the lab at half their size and in less time, so that a real server on a small and busy machine
 * can keep up: 20 servers of 50 ms are 400 calls a second. Model and server get the very same scenario.
 */
import type { Conditions, Phase, Scenario } from '../../../src/sim/scenario.ts'
import { METASTABLE } from '../scenarios.ts'

const SECOND = 1000

const base: Conditions = {
  servers: 20,
  service: { kind: 'lognormal', meanMs: 50, cv: 0.3 },
  network: { rttMs: 2 },
}

export interface HttpTrial {
  readonly scenario: Scenario
  /** Index of the phase whose goodput is compared. */
  readonly judged: number
  /** How often it runs over HTTP: more than once where chance decides when a probe finds the downstream back. */
  readonly runs: number
  /** Goodput over HTTP has to be as close to the model's as `MOST_DIFFERENCE`. */
  readonly isGoal: boolean
  /** Index of the phase in which the downstream is down, and the most attempts that may be sent in it. */
  readonly outage?: { readonly phase: number; readonly mostAttempts: number }
}

/** Between the model's and HTTP's goodput ÷ oracle. */
export const MOST_DIFFERENCE = 0.05

function phase(name: string, durationMs: number, change: Partial<Conditions> = {}): Phase {
  return { name, durationMs, ...base, ...change }
}

function steady(name: string, durationMs: number, change: Partial<Conditions>, isGoal = true): HttpTrial {
  return { scenario: { name, phases: [phase('steady', durationMs, change)] }, judged: 0, runs: 1, isGoal }
}

function outage(kind: 'refuse' | 'hang' | 'reset', mostAttempts: number): HttpTrial {
  const name = `outage of 20 s by ${kind === 'refuse' ? '503' : kind}`
  const phases = [
    phase('before', 5 * SECOND),
    phase('down', 20 * SECOND, { outage: kind }),
    phase('after', 11 * SECOND),
  ]
  return {
    scenario: { name, phases, timeoutMs: 2 * SECOND },
    judged: 2,
    runs: 3,
    isGoal: true,
    outage: { phase: 1, mostAttempts },
  }
}

export const HTTP_TRIALS: readonly HttpTrial[] = [
  steady('steady', 15 * SECOND, {}),
  steady('thrash', 15 * SECOND, { thrash: 0.5 }),
  {
    scenario: {
      name: 'drop by 70 %',
      phases: [phase('before', 6 * SECOND), phase('after', 15 * SECOND, { servers: 6 })],
    },
    judged: 1,
    runs: 1,
    isGoal: true,
  },
  steady('429 + Retry-After', 30 * SECOND, {
    quota: { kind: 'bucket', perSecond: 100, burst: 50, retryAfter: SECOND },
  }),
  steady('503 above 6 queued', 12 * SECOND, { queueLimit: 6 }, false),
  outage('refuse', 30),
  // As many as were in flight when it began, and 15.
  outage('hang', base.servers + 15),
  outage('reset', 30),
]

/** The lab's retry storm: 280 records a second arrive at a downstream that could serve 400. */
export const STORM: Scenario = {
  name: METASTABLE.scenario.name.replace('5 s', '4 s'),
  timeoutMs: SECOND,
  source: { kind: 'poisson', perSecond: 280 },
  phases: [
    phase('before', 6 * SECOND, { thrash: 0.5 }),
    phase('trigger', 4 * SECOND, { thrash: 0.5, servers: 4 }),
    phase('after', 12 * SECOND, { thrash: 0.5 }),
  ],
}

/** Calls that the naive client has in flight at most: ten times what the downstream can use, and more. */
export const NAIVE_CONCURRENCY = 500

const SMOKE_TRIALS: ReadonlySet<string> = new Set(['steady', 'drop by 70 %', 'outage of 20 s by 503'])
const SMOKE_MS = 2.5 * SECOND

/** A few of them, with phases of at most 2.5 seconds: whether everything runs, not how well. */
export function smokeTrials(): HttpTrial[] {
  return HTTP_TRIALS.filter(({ scenario }) => SMOKE_TRIALS.has(scenario.name)).map((trial) => ({
    ...trial,
    runs: 1,
    scenario: shortened(trial.scenario),
  }))
}

export function shortened(scenario: Scenario): Scenario {
  const phases = scenario.phases.map((each) => ({ ...each, durationMs: Math.min(SMOKE_MS, each.durationMs) }))
  return { ...scenario, phases }
}

export function durationOf({ phases }: Scenario): number {
  return phases.reduce((sum, { durationMs }) => sum + durationMs, 0)
}
