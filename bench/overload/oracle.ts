/**
 * The oracle: for each phase the best fixed limit, and where a quota is what binds the best fixed rate, found by
 * search on that phase alone; then one run over all phases that switches between them at the times of change. It is
 * one client with the whole backlog, also where the scenario has several.
 *
 * The best limit is the smallest that reaches 99 % of the most that any limit reaches with at most .5 % of waste:
 * everything beyond only makes calls wait in the downstream. What a broken replica wastes, every limit wastes.
 */
import { RateLimit } from '../../src/control/rate.ts'
import type { RunRecord } from '../../src/sim/record.ts'
import { simulate } from '../../src/sim/run.ts'
import type { Conditions, Gate, Phase, Scenario, ServiceTime } from '../../src/sim/scenario.ts'

export interface Setting {
  readonly limit: number
  /** Infinity where no quota binds. */
  readonly perSecond: number
}

/** Tried as multiples of the calls that fill servers and network exactly, then more closely below the best. */
const LADDER = [0.4, 0.6, 0.8, 1, 1.2, 1.5, 2, 2.6]
const CLOSER_STEPS = 4
/** Tried as shares of a quota, and of what others leave of it. */
const RATES = [1, 0.99, 0.97, 0.94, 0.9, 0.8]
const SHARED_RATES = [...RATES, 0.65, 0.5, 0.35, 0.2]
const ENOUGH = 0.99
const MOST_WASTE = 0.005
/** Where others call at random, no setting may waste so little: then this much, or the least that any of them wastes. */
const SHARED_WASTE = 0.01
const SEARCH_SEED = 20_011
/** Calls that a search measures each limit by, and the bounds of the time for it. */
const SEARCH_CALLS = 3000
const LEAST_SEARCH_MS = 5000
const MOST_SEARCH_MS = 120_000
/** Walks and pauses are slow, and where calls vary much it takes many: so long or so many to average out. */
const SLOW_SEARCH_MS = 20_000
const HEAVY_SEARCH_CALLS = 12_000

/** A fixed limit and a fixed rate that are changed from outside. */
export class OracleGate implements Gate {
  #setting: Setting
  #rate: RateLimit | null = null
  #inFlight = 0

  constructor(setting: Setting) {
    this.#setting = setting
    this.change(setting)
  }

  change(setting: Setting): void {
    this.#setting = setting
    this.#rate = setting.perSecond === Number.POSITIVE_INFINITY ? null : new RateLimit(setting.perSecond, 1)
  }

  admit(nowMs: number): number {
    if (this.#inFlight >= this.#setting.limit) return Number.POSITIVE_INFINITY
    const waitMs = this.#rate === null ? 0 : this.#rate.waitMs(nowMs)
    return waitMs === 0 ? 0 : nowMs + waitMs
  }

  sent(nowMs: number): unknown {
    this.#inFlight += 1
    this.#rate?.take(nowMs)
    return null
  }

  settled(): void {
    this.#inFlight -= 1
  }

  snapshot(): { readonly limit: number } {
    return { limit: this.#setting.limit }
  }
}

const settings = new Map<string, Setting>()
const runs = new Map<string, RunRecord>()

/** The best setting of each phase; the same phase is searched once in a process. */
export function settingsOf(scenario: Scenario): Setting[] {
  return scenario.phases.map((phase) => {
    const key = JSON.stringify([{ ...phase, name: '' }, scenario.timeoutMs])
    let found = settings.get(key)
    if (found === undefined) settings.set(key, (found = search(phase, scenario.timeoutMs)))
    return found
  })
}

/** The oracle's run; the same scenario and seed run once in a process. */
export function oracleRun(scenario: Scenario, seed: number): RunRecord {
  const key = JSON.stringify([scenario, seed])
  let run = runs.get(key)
  if (run === undefined) {
    const best = settingsOf(scenario)
    const { clients: _, ...alone } = scenario
    run = simulate(
      alone,
      seed,
      () => new OracleGate(best[0] as Setting),
      (phase, gates) => (gates[0] as OracleGate).change(best[phase] as Setting),
    )
    runs.set(key, run)
  }
  return run
}

/** Oracle runs take memory; those of a finished scenario are not asked for again. */
export function forgetRuns(): void {
  runs.clear()
}

interface Tried extends Setting {
  readonly goodput: number
  readonly wasted: number
}

function search(phase: Phase, timeoutMs: number | undefined): Setting {
  // It knows that the downstream is down, and that a cold cache will be warm.
  if (phase.outage !== undefined) return { limit: 0, perSecond: Number.POSITIVE_INFINITY }
  const { cold: _, quota, ...lasting } = phase
  const serviceMs = lasting.service.meanMs
  const filled = lasting.servers * (1 + (meanRttMs(lasting) + hungMs(lasting, timeoutMs)) / serviceMs)
  const unbound = closeIn(filled, (limit) => tryOut(lasting, { limit, perSecond: Number.POSITIVE_INFINITY }, timeoutMs))
  if (quota === undefined) return setting(unbound)
  // What is granted is at most the quota; a limit alone may be the better way to stay below it.
  const bound = { ...lasting, quota }
  const rates = [...ratesOf(quota.perSecond, phase.others?.perSecond ?? 0), Number.POSITIVE_INFINITY]
  const tried = rates.map((perSecond) => tryOut(bound, { limit: unbound.limit, perSecond }, timeoutMs))
  return setting(mostOf(tried))
}

function ratesOf(quota: number, others: number): number[] {
  const whole = RATES.map((share) => quota * share)
  const left = quota - others
  return others === 0 || left <= 0 ? whole : [...whole, ...SHARED_RATES.map((share) => left * share)]
}

/** The smallest limit that is good enough, which lies below the first good one on the ladder and above the one before. */
function closeIn(filled: number, tryLimit: (limit: number) => Tried): Tried {
  const limits = [...new Set(LADDER.map((factor) => Math.max(1, Math.round(filled * factor))))]
  const ladder = limits.map(tryLimit)
  const wanted = ENOUGH * mostOf(ladder).goodput
  const mostWaste = wasteOf(ladder)
  const isGood = (each: Tried): boolean => each.goodput >= wanted && each.wasted <= mostWaste
  const first = ladder.findIndex(isGood)
  let good = ladder[first] as Tried
  let tooSmall = first === 0 ? 0 : (ladder[first - 1] as Tried).limit
  for (let step = 0; step < CLOSER_STEPS && good.limit - tooSmall > 1; step += 1) {
    const middle = tryLimit((good.limit + tooSmall) >> 1)
    if (isGood(middle)) good = middle
    else tooSmall = middle.limit
  }
  return good
}

/** The one with the most successes among those that waste little. */
function mostOf(tried: readonly Tried[]): Tried {
  const mostWaste = wasteOf(tried)
  return tried
    .filter((each) => each.wasted <= mostWaste)
    .reduce((most, each) => (each.goodput > most.goodput ? each : most))
}

/** The waste that has to be put up with. */
function wasteOf(tried: readonly Tried[]): number {
  const least = Math.min(...tried.map((each) => each.wasted))
  return least <= MOST_WASTE ? MOST_WASTE : Math.max(SHARED_WASTE, least)
}

const setting = ({ limit, perSecond }: Setting): Setting => ({ limit, perSecond })

function tryOut(conditions: Conditions, candidate: Setting, timeoutMs: number | undefined): Tried {
  const perSecond = (conditions.servers * 1000) / conditions.service.meanMs
  const slow = conditions.pauses !== undefined || conditions.network.walk !== undefined
  const calls = isHeavy(conditions.service) ? HEAVY_SEARCH_CALLS : SEARCH_CALLS
  const wantedMs = (calls * 1000) / Math.min(perSecond, candidate.perSecond)
  const leastMs = slow ? SLOW_SEARCH_MS : LEAST_SEARCH_MS
  const durationMs = Math.min(MOST_SEARCH_MS, Math.max(leastMs, wantedMs))
  const { network, ...rest } = conditions
  const warm: Phase = { ...rest, network, name: 'warm', durationMs: durationMs / 5 + 4 * conditions.service.meanMs }
  const phases = [warm, { ...warm, name: 'measured', durationMs }]
  const scenario: Scenario = { name: 'search', phases, ...(timeoutMs === undefined ? {} : { timeoutMs }) }
  const measured = simulate(scenario, SEARCH_SEED, () => new OracleGate(candidate)).phase
  const broken = conditions.broken?.share ?? 0
  return { ...candidate, goodput: measured.perSecond, wasted: Math.max(0, measured.wastedShare - broken) }
}

function meanRttMs({ network }: Conditions): number {
  return network.walk === undefined ? network.rttMs : (network.walk.minMs + network.walk.maxMs) / 2
}

/** For how long calls that a broken replica never answers hold their places, for each call that is served. */
function hungMs({ broken }: Conditions, timeoutMs = 0): number {
  return broken?.by === 'hang' ? (broken.share / (1 - broken.share)) * timeoutMs : 0
}

/** So much spread that a few thousand calls say little. */
function isHeavy(service: ServiceTime): boolean {
  return service.kind === 'pareto' || service.kind === 'bimodal' || (service.kind === 'lognormal' && service.cv > 1)
}
