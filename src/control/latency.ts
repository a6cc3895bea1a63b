/**
 * What is measured of latencies. All of it works on the natural logarithm of milliseconds: the mean of logarithms is
 * the geometric mean, which a heavy tail hardly moves, and differences of it are ratios of latencies.
 */
const SHORTEST_MS = 0.05
const LONGEST_MS = 3_600_000

/** Logarithm of a duration, bounded on both sides: clocks that jump make durations of nothing and of years. */
export function logMs(durationMs: number): number {
  return Math.log(Math.min(LONGEST_MS, Math.max(SHORTEST_MS, durationMs)))
}

/** Count, mean, least and spread of a series (Welford's method), in four numbers. */
export class Sample {
  n = 0
  mean = 0
  /** Infinity while there is none. */
  least = Number.POSITIVE_INFINITY
  #squares = 0

  add(value: number): void {
    this.n += 1
    if (value < this.least) this.least = value
    const off = value - this.mean
    this.mean += off / this.n
    this.#squares += off * (value - this.mean)
  }

  reset(): void {
    this.n = 0
    this.mean = 0
    this.least = Number.POSITIVE_INFINITY
    this.#squares = 0
  }

  /** Variance of single values; 0 while there are fewer than two. */
  get variance(): number {
    return this.n < 2 ? 0 : this.#squares / (this.n - 1)
  }
}

/** Degrees of freedom that a variance rests on at most: later the last few samples count. */
const MOST_FREEDOM = 60

/** The variance of single values, from sample to sample: a first guess gives way to what is seen. */
export class Variance {
  value: number
  #freedom: number
  readonly #least: number

  /** `guess` counts as so many degrees of `freedom`; below `least` it does not fall. */
  constructor(guess: number, freedom: number, least = 0) {
    this.value = guess
    this.#freedom = freedom
    this.#least = least
  }

  /** Degrees of freedom that it rests on, those of the guess included. */
  get freedom(): number {
    return this.#freedom
  }

  learn(sample: Sample): void {
    const freedom = Math.max(0, sample.n - 1)
    this.value += (sample.variance - this.value) * (freedom / (freedom + this.#freedom))
    if (this.value < this.#least) this.value = this.#least
    this.#freedom = Math.min(MOST_FREEDOM, this.#freedom + freedom)
  }
}

/**
 * A group of calls that were sent one after another, measured as a whole: it is complete when all have settled. What
 * is counted by the time of settling alone favours calls that finish early, and a limit that is judged by those is
 * judged too kindly after every change. Calls that are still out when patience ends count as somewhat longer than they
 * have lasted.
 */
const STILL_TO_COME = 0.5

export class Cohort {
  readonly sample = new Sample()
  #firstSequence = Number.POSITIVE_INFINITY
  #size = 0
  #joined = 0
  #left = 0
  #fromMs = 0
  #firstMs = 0
  #lastMs = 0

  /** Begins with the first call sent at or after `fromMs`; `size` calls belong to it. */
  begin(fromMs: number, size: number): void {
    this.sample.reset()
    this.#fromMs = fromMs
    this.#size = Math.max(1, Math.ceil(size))
    this.#firstSequence = Number.POSITIVE_INFINITY
    this.#joined = 0
    this.#left = 0
  }

  sent(sequence: number, nowMs: number): void {
    if (this.#joined >= this.#size || nowMs < this.#fromMs) return
    if (this.#joined === 0) {
      this.#firstSequence = sequence
      this.#firstMs = nowMs
    }
    this.#joined += 1
    this.#lastMs = nowMs
  }

  settled(sequence: number, value: number): void {
    if (!this.#has(sequence)) return
    this.sample.add(value)
    this.#left += 1
  }

  /** It ended without a latency that means anything: the cohort goes on without it. */
  dropped(sequence: number): void {
    if (this.#has(sequence)) this.#left += 1
  }

  get isSent(): boolean {
    return this.#joined >= this.#size
  }

  get isSettled(): boolean {
    return this.#joined >= this.#size && this.#left >= this.#joined
  }

  /** Complete, or `patienceMs` after the last of it was sent: then the rest is counted as it stands. */
  isComplete(nowMs: number, patienceMs: number): boolean {
    if (this.isSettled) return true
    if (this.#joined < this.#size || nowMs - this.#lastMs < patienceMs) return false
    const missing = this.#joined - this.#left
    const lastedMs = nowMs - (this.#firstMs + this.#lastMs) / 2
    const value = logMs(lastedMs) + STILL_TO_COME
    for (let call = 0; call < missing; call += 1) this.sample.add(value)
    this.#left = this.#joined
    return true
  }

  #has(sequence: number): boolean {
    return sequence >= this.#firstSequence && sequence < this.#firstSequence + this.#joined && this.#left < this.#joined
  }
}
