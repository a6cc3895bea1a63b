/**
 * Random scenarios of three phases, each from one seed. The seeds are split: those below a million may be looked at
 * and tuned on, those from a million up are for the verdict only and nobody tunes on them. `--seed n` draws a set of
 * the second kind that nobody has seen (from n millions up).
 *
 * The first phase draws a downstream, a network, and sometimes trouble that lasts. Each later phase changes one or two
 * things. A phase lasts 45 s, or longer where calls are slow or rare; a time-out leaves room for every call that is
 * served without a queue.
 */
import { SeededRandom } from '../../src/control/random.ts'
import type { Conditions, NetworkSpec, Phase, QuotaSpec, Scenario, ServiceTime } from '../../src/sim/scenario.ts'

export const FIRST_NEVER_TUNED = 1_000_000
export const TUNING_SEEDS = 'below 1,000,000'
export const NEVER_TUNED_SEEDS = 'from 1,000,000 up'

const PHASE_MS = 45_000
const PHASE_CALLS = 3000
/** A phase lasts as long as this many calls one after another. */
const PHASE_SERVICES = 150
const MOST_PER_SECOND = 1500
const LEAST_PER_SECOND = 20
const LEAST_TIMEOUT_MS = 1000
const TIMEOUT_SERVICES = 15

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
type Draft = Mutable<Conditions>

/** The seeds of a set of `count` scenarios; set 1 is what a plain run uses. */
export function seedsOf(split: 'tuning' | 'never-tuned', count: number, set = 1): number[] {
  const first = split === 'tuning' ? 1000 * set : FIRST_NEVER_TUNED * set
  return Array.from({ length: count }, (_, index) => first + index)
}

export function randomScenario(seed: number): Scenario {
  const draw = new Draw(seed)
  const first = firstConditions(draw)
  const second = changed(first, draw)
  const third = changed(second, draw)
  const list = [first, second, third]
  const slowestMs = Math.max(...list.map((each) => each.service.meanMs + each.network.rttMs))
  const clients = draw.chance(0.25) ? draw.whole(2, 6) : 1
  const timeoutMs = draw.chance(0.4) ? Math.max(LEAST_TIMEOUT_MS, Math.round(TIMEOUT_SERVICES * slowestMs)) : undefined
  return {
    name: `random ${seed}`,
    clients,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    phases: list.map((conditions, index) => phaseOf(conditions, index)),
  }
}

function phaseOf(conditions: Conditions, index: number): Phase {
  const perSecond = Math.min(
    (conditions.servers * 1000) / conditions.service.meanMs,
    conditions.quota?.perSecond ?? Number.POSITIVE_INFINITY,
  )
  const wantedMs = Math.max(PHASE_MS, (PHASE_CALLS * 1000) / perSecond, PHASE_SERVICES * conditions.service.meanMs)
  return { ...conditions, name: `phase ${index + 1}`, durationMs: Math.round(wantedMs / 1000) * 1000 }
}

function firstConditions(draw: Draw): Conditions {
  const servers = Math.round(draw.logarithmic(3, 120))
  const shortestMs = (servers * 1000) / MOST_PER_SECOND
  const longestMs = (servers * 1000) / LEAST_PER_SECOND
  const meanMs = Math.min(longestMs, Math.max(shortestMs, draw.logarithmic(10, 300)))
  const draft: Draft = {
    servers,
    service: serviceTime(meanMs, draw),
    network: { rttMs: draw.logarithmic(0.5, 60) },
  }
  if (draw.chance(0.3)) draft.thrash = draw.between(0.1, 1)
  if (draw.chance(0.15)) {
    draft.queueLimit = Math.max(2, Math.round(servers * draw.between(0.5, 3)))
    if (draw.chance(0.5)) draft.queueRetryAfterMs = 1000
  }
  if (draw.chance(0.2)) draft.quota = quota(draft, draw)
  if (draw.chance(0.1)) draft.pauses = pauses(draft, draw)
  if (draw.chance(0.1)) draft.network = walk(draft.network, draw)
  return draft
}

function serviceTime(meanMs: number, draw: Draw): ServiceTime {
  const kind = draw.between(0, 1)
  if (kind < 0.6) return { kind: 'lognormal', meanMs, cv: draw.between(0.1, 1) }
  if (kind < 0.75) return { kind: 'exponential', meanMs }
  if (kind < 0.85) {
    return { kind: 'bimodal', meanMs, slowShare: draw.between(0.02, 0.2), slowFactor: draw.between(3, 8) }
  }
  if (kind < 0.95) return { kind: 'pareto', meanMs, alpha: draw.between(2.2, 3.5), cap: 20 }
  return { kind: 'constant', meanMs }
}

function changed(from: Conditions, draw: Draw): Conditions {
  const draft: Draft = { ...from }
  // What starts anew with a phase is over when that phase is.
  delete draft.cold
  const changes = draw.chance(0.3) ? 2 : 1
  for (let turn = 0; turn < changes; turn += 1) change(draft, draw)
  // Rounding and bounds can undo a change.
  while (JSON.stringify(draft) === JSON.stringify(from)) change(draft, draw)
  return draft
}

function change(draft: Draft, draw: Draw): void {
  const { service } = draft
  const perMs = draft.servers / service.meanMs
  switch (draw.whole(0, 7)) {
    case 0: // more or fewer servers; the fewest are two
    case 1: {
      const most = (MOST_PER_SECOND * service.meanMs) / 1000
      const servers = draft.servers * draw.factor(1.3, 4)
      draft.servers = Math.max(
        2,
        Math.round(Math.min(most, Math.max(servers, (LEAST_PER_SECOND * 0.5 * service.meanMs) / 1000))),
      )
      break
    }
    case 2: {
      // every call takes longer, or less long
      const shortestMs = (draft.servers * 1000) / MOST_PER_SECOND
      draft.service = { ...service, meanMs: Math.max(shortestMs, service.meanMs * draw.factor(1.3, 3)) }
      break
    }
    case 3: // another way through the network
      draft.network = { rttMs: draw.logarithmic(0.5, 120) }
      break
    case 4:
      draft.network = walk(draft.network, draw)
      break
    case 5:
      if (draft.quota === undefined || draw.chance(0.7)) draft.quota = quota(draft, draw)
      else delete draft.quota
      break
    case 6:
      draft.cold = { factor: draw.between(2, 4), calls: Math.round(perMs * 1000 * draw.between(2, 8)) }
      break
    default:
      if (draw.chance(0.5)) draft.others = { perSecond: perMs * 1000 * draw.between(0.1, 0.5) }
      else draft.pauses = pauses(draft, draw)
  }
}

function quota(draft: Draft, draw: Draw): QuotaSpec {
  const capacity = (draft.servers * 1000) / draft.service.meanMs
  const perSecond = Math.max(10, Math.round(capacity * draw.between(0.3, 0.9)))
  const says: Partial<QuotaSpec> = [{}, { retryAfter: true }, { retryAfter: 1000 }][draw.whole(0, 2)] ?? {}
  if (draw.chance(0.6)) {
    return { kind: 'bucket', perSecond, burst: Math.max(1, Math.round(perSecond * draw.between(0.1, 1))), ...says }
  }
  // RateLimit headers speak of windows, and of ones that last.
  return draw.chance(0.5)
    ? { kind: 'window', perSecond, windowMs: 1000, ...says }
    : { kind: 'window', perSecond, windowMs: 10_000, headers: true, ...says }
}

function pauses(draft: Draft, draw: Draw): NonNullable<Conditions['pauses']> {
  return { everyMs: draw.between(2000, 8000), lastsMs: draft.service.meanMs * draw.between(1, 4) }
}

function walk(network: NetworkSpec, draw: Draw): NetworkSpec {
  const maxMs = network.rttMs + draw.between(2, 30)
  return { rttMs: network.rttMs, walk: { minMs: network.rttMs / 2, maxMs, stepMs: maxMs / 10, everyMs: 500 } }
}

/** Draws from a seed. */
class Draw {
  readonly #random: SeededRandom

  constructor(seed: number) {
    // Neighbouring seeds of the generator give similar first draws, so they are spread first.
    this.#random = new SeededRandom(Math.imul(seed, 0x9e3779b1))
  }

  between(least: number, most: number): number {
    return least + (most - least) * this.#random.next()
  }

  /** As likely between 1 and 2 as between 2 and 4. */
  logarithmic(least: number, most: number): number {
    return least * (most / least) ** this.#random.next()
  }

  /** As likely a multiplication as a division, by `least` to `most`. */
  factor(least: number, most: number): number {
    const factor = this.logarithmic(least, most)
    return this.chance(0.5) ? factor : 1 / factor
  }

  /** A whole number, both ends included. */
  whole(least: number, most: number): number {
    return least + Math.floor((most - least + 1) * this.#random.next())
  }

  chance(share: number): boolean {
    return this.#random.next() < share
  }
}
