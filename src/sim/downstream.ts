/**
 * The modelled downstream: servers in front of which calls queue in the order they came, a quota before that, and what
 * goes wrong in real ones: thrash, a cold cache, pauses, outages, a broken replica. It never learns that a client gave
 * a call up: it works on it all the same, and that is what makes a collapse last.
 */
import { SeededRandom } from '../control/random.ts'
import type { Agenda } from './agenda.ts'
import { type Calls, NOBODY } from './calls.ts'
import { ANSWER, FINISH, OTHERS, PAUSE } from './events.ts'
import type { Network } from './network.ts'
import { Quota } from './quota.ts'
import { NumberRing } from './ring.ts'
import type { Conditions, Outage, Outcome } from './scenario.ts'
import { type Sampler, serviceTimeSampler, unitExponential } from './service-time.ts'

const SUCCESS: Outcome = { kind: 'success', status: 200 }
const UNAVAILABLE: Outcome = { kind: 'overloaded', status: 503 }
const RESET: Outcome = { kind: 'failed' }

/** A refusal costs a little time, so that a client that sends again at once still moves the clock. */
const REFUSAL_MS = 0.1

export class Downstream {
  /** Calls that a server works on. */
  busy = 0
  /** Calls served to the end, also those that nobody waited for. */
  served = 0
  /** Server-milliseconds of work handed out, for the tests. */
  workMs = 0

  readonly #agenda: Agenda
  readonly #calls: Calls
  readonly #network: Network
  readonly #queue = new NumberRing()
  readonly #serviceRandom: SeededRandom
  readonly #faultRandom: SeededRandom
  readonly #othersRandom: SeededRandom
  readonly #replicaRandom: SeededRandom

  #conditions: Conditions | null = null
  #sample: Sampler = () => 0
  #quota: Quota | null = null
  #queueFull: Outcome = UNAVAILABLE
  #servedCold = 0
  /** All pauses so far, the present one up to its end. */
  #pausedMs = 0
  #pauseEndMs = 0

  constructor(agenda: Agenda, calls: Calls, network: Network, seed: number) {
    this.#agenda = agenda
    this.#calls = calls
    this.#network = network
    this.#serviceRandom = new SeededRandom(seed ^ 0x5e41c3)
    this.#faultRandom = new SeededRandom(seed ^ 0x0fa175)
    this.#othersRandom = new SeededRandom(seed ^ 0x07e4e5)
    this.#replicaRandom = new SeededRandom(seed ^ 0x4e911c)
  }

  get queued(): number {
    return this.#queue.size
  }

  /** A phase begins. A quota whose terms stay the same goes on where it was. */
  change(to: Conditions, phase: number): void {
    const { nowMs } = this.#agenda
    const from = this.#conditions
    this.#conditions = to
    if (from?.service !== to.service) this.#sample = serviceTimeSampler(to.service, this.#serviceRandom)
    if (to.quota === undefined) this.#quota = null
    else if (JSON.stringify(to.quota) !== JSON.stringify(this.#quota?.spec)) this.#quota = new Quota(to.quota, nowMs)
    this.#queueFull =
      to.queueRetryAfterMs === undefined ? UNAVAILABLE : { ...UNAVAILABLE, retryAfterMs: to.queueRetryAfterMs }
    this.#servedCold = 0
    if (to.outage !== undefined && to.outage !== 'refuse' && to.outage !== from?.outage) this.#lose(to.outage)
    if (to.pauses !== undefined) this.#agenda.schedule(nowMs + this.#untilPause(to), PAUSE, phase)
    if (to.others !== undefined) this.#agenda.schedule(nowMs + this.#untilOthers(to), OTHERS, phase)
    while (this.busy < to.servers && this.#queue.size > 0) this.#start(this.#queue.shift())
  }

  arrive(call: number): void {
    const { nowMs } = this.#agenda
    const conditions = this.#conditions as Conditions
    const fault = conditions.outage ?? this.#fault(conditions)
    if (fault !== undefined) {
      if (fault === 'hang') this.#calls.release(call)
      else this.#answer(call, fault === 'refuse' ? UNAVAILABLE : RESET, REFUSAL_MS)
    } else if (this.#quota !== null && !this.#quota.take(nowMs)) {
      this.#answer(call, this.#throttled(this.#quota), REFUSAL_MS)
    } else if (this.busy < conditions.servers) {
      this.#start(call)
    } else if (this.#queue.size < (conditions.queueLimit ?? Number.POSITIVE_INFINITY)) {
      this.#queue.push(call)
    } else {
      this.#answer(call, this.#queueFull, REFUSAL_MS)
    }
  }

  /** What happens to a call that comes to the broken replica; undefined when it comes to another. */
  #fault({ broken }: Conditions): Outage | undefined {
    return broken !== undefined && this.#replicaRandom.next() < broken.share ? broken.by : undefined
  }

  finish(call: number): void {
    const calls = this.#calls
    if (calls.serving[call] === 0) {
      calls.release(call) // lost in an outage
      return
    }
    // Pauses that fell into the service time are still to be served.
    const owedMs = this.#pausedMs - (calls.pausedMs[call] as number)
    if (owedMs > 0) {
      calls.pausedMs[call] = this.#pausedMs
      this.#agenda.schedule(this.#agenda.nowMs + owedMs, FINISH, call)
      return
    }
    calls.serving[call] = 0
    this.busy -= 1
    this.served += 1
    this.#servedCold += 1
    this.#answer(call, this.#quota?.spec.headers ? { ...SUCCESS, rateLimit: rateLimitOf(this.#quota) } : SUCCESS)
    if (this.busy < (this.#conditions as Conditions).servers && this.#queue.size > 0) this.#start(this.#queue.shift())
  }

  /** The server stands still from now on; the time until the next pause begins, or Infinity. */
  pause(): number {
    const conditions = this.#conditions as Conditions
    if (conditions.pauses === undefined) return Number.POSITIVE_INFINITY
    this.#pausedMs += conditions.pauses.lastsMs
    this.#pauseEndMs = this.#agenda.nowMs + conditions.pauses.lastsMs
    return conditions.pauses.lastsMs + this.#untilPause(conditions)
  }

  /** A call of somebody else arrives; the time until the next one, or Infinity. */
  others(): number {
    const conditions = this.#conditions as Conditions
    if (conditions.others === undefined) return Number.POSITIVE_INFINITY
    const { nowMs } = this.#agenda
    const call = this.#calls.open(NOBODY, nowMs, nowMs)
    this.#calls.hold(call)
    this.#calls.settle(call)
    this.arrive(call)
    return this.#untilOthers(conditions)
  }

  #start(call: number): void {
    const conditions = this.#conditions as Conditions
    const { nowMs } = this.#agenda
    let serviceMs = this.#sample()
    this.busy += 1
    if (conditions.thrash !== undefined) {
      const excess = this.busy + this.#queue.size - conditions.servers
      if (excess > 0) serviceMs *= 1 + (conditions.thrash * excess) / conditions.servers
    }
    if (conditions.cold !== undefined && this.#servedCold < conditions.cold.calls) {
      const { factor, calls } = conditions.cold
      serviceMs *= factor - (factor - 1) * (this.#servedCold / calls)
    }
    this.workMs += serviceMs
    this.#calls.pausedMs[call] = this.#pausedMs
    this.#calls.serving[call] = 1
    this.#agenda.schedule(Math.max(nowMs, this.#pauseEndMs) + serviceMs, FINISH, call)
  }

  /** Everything that the server held is gone: unanswered on a hang, cut off on a reset. */
  #lose(outage: 'hang' | 'reset'): void {
    const calls = this.#calls
    for (let call = 0; call < calls.serving.length; call += 1) {
      if (calls.serving[call] === 0) continue
      calls.serving[call] = 0
      if (outage === 'hang') continue
      calls.hold(call) // its FINISH event still names it, so the answer is one more
      this.#answer(call, RESET)
    }
    this.busy = 0
    while (this.#queue.size > 0) {
      const call = this.#queue.shift()
      if (outage === 'reset') this.#answer(call, RESET)
      else calls.release(call)
    }
  }

  /** The hold that was on the way here goes on to the way back. */
  #answer(call: number, outcome: Outcome, afterMs = 0): void {
    if (this.#calls.client[call] === NOBODY) {
      this.#calls.release(call)
      return
    }
    this.#calls.outcome[call] = outcome
    this.#agenda.schedule(this.#agenda.nowMs + afterMs + this.#network.oneWayMs, ANSWER, call)
  }

  #throttled(quota: Quota): Outcome {
    const { retryAfter, headers } = quota.spec
    const retryAfterMs = retryAfter === true ? wholeSeconds(quota.waitMs) : retryAfter
    return {
      kind: 'overloaded',
      status: 429,
      ...(typeof retryAfterMs === 'number' ? { retryAfterMs } : {}),
      ...(headers ? { rateLimit: rateLimitOf(quota) } : {}),
    }
  }

  #untilPause(conditions: Conditions): number {
    return (conditions.pauses?.everyMs ?? Number.POSITIVE_INFINITY) * unitExponential(this.#faultRandom)
  }

  #untilOthers(conditions: Conditions): number {
    return (1000 / (conditions.others?.perSecond ?? 0)) * unitExponential(this.#othersRandom)
  }
}

function rateLimitOf(quota: Quota): NonNullable<Outcome['rateLimit']> {
  return { limit: quota.limit, remaining: quota.remaining, resetMs: wholeSeconds(quota.resetMs) }
}

/** As headers have it, in ms. */
function wholeSeconds(ms: number): number {
  return Math.ceil(ms / 1000) * 1000
}
