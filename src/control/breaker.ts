/**
 * A circuit breaker for one downstream. It opens when at least half of the last twenty outcomes (ten at the least)
 * were failures of the downstream, and more than chance makes of what fails at all times, lets one call through after a growing pause, and closes when that call succeeds.
 * While it is open the stage starts nothing: no attempt is burnt and the backlog waits in the source.
 */
const WINDOW = 20
const MINIMUM_OUTCOMES = 10
const FAILURE_SHARE = 0.5
/** Above the share that fails at all times by so many standard errors is more than chance. */
const ERRORS = 6
const BASE_OPEN_MS = 500
const MAX_OPEN_MS = 5000

export type BreakerState = 'closed' | 'open' | 'half-open'

export class Breaker {
  readonly #maxOpenMs: number
  #state: BreakerState = 'closed'
  readonly #window = new Uint8Array(WINDOW)
  #at = 0
  /** Outcomes in the window. */
  #seen = 0
  #failures = 0
  #openings = 0
  #untilMs = 0

  /** `maxOpenMs`: the longest pause between two probes, before it is spread by ± 20 %. */
  constructor(maxOpenMs: number = MAX_OPEN_MS) {
    this.#maxOpenMs = maxOpenMs
  }

  get state(): BreakerState {
    return this.#state
  }

  /** 0 when a call may start, else the milliseconds until one may; Infinity while the one probe is under way. */
  waitMs(nowMs: number): number {
    if (this.#state === 'closed') return 0
    if (this.#state === 'half-open') return Number.POSITIVE_INFINITY
    return Math.max(0, this.#untilMs - nowMs)
  }

  /** A call starts; the first one after the pause is the probe. */
  started(): void {
    if (this.#state === 'open') this.#state = 'half-open'
  }

  succeeded(): void {
    if (this.#state === 'open') return
    if (this.#state === 'half-open') this.#close()
    else this.#record(0)
  }

  /**
   * `uniform` is drawn from [0, 1) and spreads the reopening of many clients by ± 20 %; `background` is the share of
   * calls that fails at all times.
   */
  failed(nowMs: number, uniform: number, background = 0): void {
    if (this.#state === 'open') return
    if (this.#state === 'closed') {
      this.#record(1)
      const seen = this.#seen
      const usual = background * seen + ERRORS * Math.sqrt(background * (1 - background) * seen)
      if (seen < MINIMUM_OUTCOMES || this.#failures < Math.max(seen * FAILURE_SHARE, Math.min(seen, usual))) return
    }
    this.open(nowMs, uniform)
  }

  /** Opens whatever the last outcomes were: the caller has better evidence than their share. */
  open(nowMs: number, uniform: number): void {
    this.#state = 'open'
    this.#untilMs =
      nowMs + Math.min(this.#maxOpenMs, BASE_OPEN_MS * 2 ** Math.min(this.#openings, 10)) * (0.8 + 0.4 * uniform)
    this.#openings += 1
  }

  /** The probe ended without saying anything about the downstream: the next call probes again. */
  undecided(): void {
    if (this.#state === 'half-open') this.#state = 'open'
  }

  #close(): void {
    this.#state = 'closed'
    this.#window.fill(0)
    this.#at = 0
    this.#seen = 0
    this.#failures = 0
    this.#openings = 0
  }

  #record(failure: 0 | 1): void {
    const at = this.#at
    this.#failures += failure - (this.#window[at] as number)
    this.#window[at] = failure
    this.#at = at + 1 === WINDOW ? 0 : at + 1
    if (this.#seen < WINDOW) this.#seen += 1
  }
}
