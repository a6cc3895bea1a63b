/**
 * What a stage with slots counts: attempts and how they ended, how long they took, and what the slots were doing.
 * `littleError` compares the slots' time integral with the sum of the durations: two ways to the same figure.
 */
import type { ErrorCode } from '../model/errors.ts'
import type { StageSettings, StageStatus } from '../model/status.ts'
import { Durations } from './durations.ts'
import { Histogram } from './histogram.ts'
import { ReasonClock } from './reason-clock.ts'
import { AWAIT, BACKOFF, BLOCKED, COMMIT, CPU, IDLE, KEY, POOL, RATE, SlotClock } from './slot-clock.ts'
import type { Wave } from './wave.ts'

export const NO_SETTINGS: StageSettings = { order: null, perSecond: null, timeoutMs: null, batchRecords: null }

export class StageMeter {
  readonly clock: SlotClock
  readonly reasons: ReasonClock
  readonly #durations = new Durations()
  readonly #latency: Histogram
  entered = 0
  left = 0
  /** Handlers that did not settle even after their signal was aborted. */
  abandoned = 0
  #first = 0
  #attempts = 0
  #ok = 0
  #overloaded = 0
  #failed = 0
  #timeouts = 0
  /** The first `#endedWaves` of these have attempts that ended in this loop; the array is kept, so that it is not grown each time. */
  readonly #waves: Wave[] = []
  #endedWaves = 0
  #endedMs = 0
  /** At the last account no slot was free. */
  #isFull = false

  /** `latency`: where the durations go. */
  constructor(slots: number, nowMs: number, latency = new Histogram()) {
    this.#latency = latency
    this.clock = new SlotClock(slots, nowMs)
    this.reasons = new ReasonClock(nowMs)
  }

  started(first: number, attempts: number): void {
    this.#first += first
    this.#attempts += attempts
  }

  /** An attempt of a wave ended. Those that end in one loop are mostly of one wave, and then only counted. */
  ended(wave: Wave, nowMs: number): void {
    if (wave.ended === 0) this.#endedOf(wave, nowMs)
    wave.ended += 1
  }

  #endedOf(wave: Wave, nowMs: number): void {
    this.#waves[this.#endedWaves] = wave
    this.#endedWaves += 1
    this.#endedMs = nowMs
  }

  /** What ended in the loop that is over. */
  #measure(): void {
    for (let at = 0; at < this.#endedWaves; at += 1) {
      const wave = this.#waves[at] as Wave
      this.took(this.#endedMs - wave.startedMs, wave.records, wave.ended, wave.beside)
      wave.ended = 0
    }
    this.#endedWaves = 0
  }

  /** So many slots were busy for so long each, with so many records each, begun beside so many others. */
  took(ms: number, records: number, times = 1, beside = 0): void {
    this.#durations.ended(records, ms, times, beside)
    this.#latency.record(ms, times)
  }

  succeeded(records: number): void {
    this.#ok += records
  }

  failed(code: ErrorCode, records: number): void {
    if (code === 'HG_OVERLOADED') this.#overloaded += records
    else if (code === 'HG_TIMEOUT') this.#timeouts += records
    else this.#failed += records
  }

  /** User code ran for so long, in slots that were charged as awaiting. */
  ran(ms: number, records = 1): void {
    this.clock.ranOfAwait(ms)
    this.#durations.ran(records, ms)
  }

  /**
   * At the end of each loop: what the slots do from its beginning on, and the guard that stopped it. Returns how many
   * slots are free: the stage then says with `free` what holds them back.
   */
  account(nowMs: number, limit: number, inFlight: number, pooling: number, gate: string): number {
    this.#measure()
    this.reasons.set(gate, nowMs)
    const { counts } = this.clock
    const isFull = inFlight >= limit
    // All slots do what they did: they are charged once that changes.
    if (isFull && this.#isFull && counts[AWAIT] === inFlight - pooling && counts[POOL] === pooling) return 0
    this.#isFull = isFull
    this.clock.advance(nowMs)
    counts[AWAIT] = inFlight - pooling
    counts[POOL] = pooling
    // One by one: `fill` is a call out of compiled code, and takes longer than all the rest.
    counts[IDLE] = 0
    counts[RATE] = 0
    counts[KEY] = 0
    counts[BACKOFF] = 0
    counts[BLOCKED] = 0
    counts[COMMIT] = 0
    this.clock.resize(Math.max(limit, inFlight))
    return Math.max(0, limit - inFlight)
  }

  /** What the free slots lack: by how many items wait for room, for `gate`, for their key, and for their time. */
  free(slots: number, blocked: number, ready: number, gate: string, key: number, backoff: number): void {
    const { counts } = this.clock
    let free = charge(counts, slots, BLOCKED, blocked)
    if (ready > 0) free = charge(counts, free, STATE_OF_GATE[gate] ?? IDLE, ready)
    free = charge(counts, free, KEY, key)
    free = charge(counts, free, BACKOFF, backoff)
    counts[IDLE] = (counts[IDLE] as number) + free
  }

  status(
    name: string,
    kind: string,
    reason: string,
    inFlight: number,
    limit: number,
    settings: Partial<StageSettings> = {},
  ): StageStatus {
    this.#measure()
    return {
      name,
      kind,
      in: this.entered,
      out: this.left,
      first: this.#first,
      attempts: this.#attempts,
      ok: this.#ok,
      rejected429: this.#overloaded,
      failed: this.#failed,
      timeouts: this.#timeouts,
      inFlight,
      limit,
      reason,
      states: this.clock.seconds(),
      reasonSeconds: this.reasons.seconds(this.clock.atMs),
      settings: { ...NO_SETTINGS, ...settings },
      durations: this.#durations.sums(),
      latencyMs: this.#latency.status(),
      limiters: [],
    }
  }

  /** |L − X·W| / L; `openMs` is how long what is still in flight has been. */
  littleError(openMs: number): number {
    this.#measure()
    const integralMs = this.clock.slotMs(AWAIT) + this.clock.slotMs(POOL) + this.clock.slotMs(CPU)
    if (integralMs < 1) return 0
    return Math.abs(integralMs - this.#durations.totalMs - openMs) / integralMs
  }
}

/** Puts as many free slots into a state as are wanted there; returns those that are left. */
function charge(counts: Float64Array, free: number, state: number, wanted: number): number {
  const taken = Math.min(free, wanted)
  counts[state] = (counts[state] as number) + taken
  return free - taken
}

/** Which state a free slot is in when a ready item is held back by this guard. */
const STATE_OF_GATE: Readonly<Record<string, number>> = {
  rate: RATE,
  'retry-after': RATE,
  quota: RATE,
  breaker: BACKOFF,
  'retry-budget': BACKOFF,
  'retry-share': BACKOFF,
  backoff: BACKOFF,
  blocked: BLOCKED,
  'dead-letter-full': BLOCKED,
  transaction: COMMIT,
}
