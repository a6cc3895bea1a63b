/**
 * The calls that a quota granted from one refusal to the next, as counts over short spans. Memory is bounded: when the
 * spans run out, two become one. Called by `quota.ts`, read by `quota-fit.ts`. Invariant: spans cover all of the time.
 */
const SPANS = 64
const SHORTEST_MS = 25
const SECOND_MS = 1000
const FEW = 12

export class Stretch {
  readonly #counts = new Float64Array(SPANS)
  readonly startMs: number
  #spanMs = SHORTEST_MS
  /** The span that was counted in last, and from when to when it lasts. */
  #span = 0
  #spanFromMs = Number.POSITIVE_INFINITY
  #spanToMs = Number.NEGATIVE_INFINITY
  /** Begins as a number: V8 boxes each number anew in a field that began as undefined. */
  #endMs = 0
  #total = 0
  /** How much of the time at the start nothing was sent because Retry-After said so: the bucket filled meanwhile. */
  readonly #closedMs: number
  /** The present second of the clock, and when it is over. */
  #second = Number.NEGATIVE_INFINITY
  #secondToMs = Number.NEGATIVE_INFINITY
  #inSecondBefore = 0
  /** Granted in the present second of the clock, and the most in any second before. */
  inSecond = 0
  mostBefore = 0

  /** `closedMs`: before `startMs`; Infinity where the bucket was full. */
  constructor(startMs: number, closedMs: number) {
    this.startMs = startMs
    this.#endMs = startMs
    this.#closedMs = closedMs
  }

  /** Nothing was ever refused before. */
  get isFirst(): boolean {
    return this.#closedMs === Number.POSITIVE_INFINITY
  }

  get lastsMs(): number {
    return this.#endMs - this.startMs
  }

  get calls(): number {
    return this.#total
  }

  granted(nowMs: number): void {
    // Every call comes here: nothing is divided but at the turn of a second or of a span.
    if (nowMs >= this.#secondToMs) this.#turn(Math.floor(nowMs / SECOND_MS))
    this.inSecond += 1
    this.#add(nowMs, 1)
  }

  #turn(second: number): void {
    this.#inSecondBefore = second === this.#second + 1 ? this.inSecond : 0
    this.mostBefore = Math.max(this.mostBefore, this.#inSecondBefore)
    this.#second = second
    this.#secondToMs = (second + 1) * SECOND_MS
    this.inSecond = 0
  }

  /** One that was counted was not granted after all. */
  refused(sentMs: number): void {
    if (sentMs < this.startMs) return
    if (Math.floor(sentMs / SECOND_MS) === this.#second) this.inSecond -= 1
    this.#add(sentMs, -1)
  }

  #add(atMs: number, calls: number): void {
    if (atMs > this.#endMs) this.#endMs = atMs
    if (!(atMs >= this.#spanFromMs && atMs < this.#spanToMs)) this.#seek(atMs)
    this.#counts[this.#span] = (this.#counts[this.#span] as number) + calls
    this.#total += calls
  }

  /** Makes the span of this time the present one. */
  #seek(atMs: number): void {
    let span = Math.floor(Math.max(0, atMs - this.startMs) / this.#spanMs)
    while (span >= SPANS) {
      this.#double()
      span >>= 1
    }
    this.#span = span
    this.#spanFromMs = this.startMs + span * this.#spanMs
    this.#spanToMs = this.#spanFromMs + this.#spanMs
  }

  #double(): void {
    const counts = this.#counts
    for (let span = 0; span < SPANS; span += 1) {
      const both = 2 * span < SPANS ? (counts[2 * span] as number) + (counts[2 * span + 1] as number) : 0
      counts[span] = both
    }
    this.#spanMs *= 2
  }

  /** It ends here: the call sent at this time was refused, and the `surplus` calls up to the latest are not known yet. */
  end(sentMs: number, surplus: number): void {
    const second = Math.floor(sentMs / SECOND_MS)
    if (second === this.#second) {
      this.inSecond -= surplus
      this.mostBefore = Math.max(this.mostBefore, this.#inSecondBefore)
    } else this.inSecond = this.#inSecondBefore - Math.max(0, surplus - this.inSecond)
    this.#endMs = Math.max(this.startMs, sentMs)
    const last = Math.min(SPANS - 1, Math.floor(this.lastsMs / this.#spanMs))
    this.#total -= surplus
    let sum = 0
    for (let span = 0; span < last; span += 1) sum += this.#counts[span] as number
    this.#counts[last] = this.#total - sum
    for (let span = last + 1; span < SPANS; span += 1) this.#counts[span] = 0
  }

  /** The highest rate of late, over at least a few calls. */
  fastest(): number {
    let fastest = 0
    let sum = 0
    const last = Math.min(SPANS - 1, Math.floor(this.lastsMs / this.#spanMs))
    for (let span = last; span >= 0; span -= 1) {
      sum += this.#counts[span] as number
      const sinceMs = Math.max(SHORTEST_MS, this.lastsMs - span * this.#spanMs)
      if ((sinceMs >= 2 * SHORTEST_MS && sum >= FEW) || span === 0) fastest = Math.max(fastest, (sum * 1000) / sinceMs)
    }
    return Math.max(fastest, 1000 / Math.max(1000, this.lastsMs))
  }

  /** The most by which what was granted up to the end exceeds what flowed in at this rate, whatever the start. */
  drained(perSecond: number): number {
    let most = 0
    let sum = 0
    const last = Math.min(SPANS - 1, Math.floor(this.lastsMs / this.#spanMs))
    for (let span = last; span >= 0; span -= 1) {
      sum += this.#counts[span] as number
      const sinceS = (this.lastsMs - span * this.#spanMs) / 1000
      most = Math.max(most, sum - perSecond * sinceS)
    }
    return most
  }

  /** What flowed in and was not granted, if the bucket was empty before and nothing overflowed. */
  unspent(perSecond: number): number {
    return (perSecond * (this.#closedMs + this.lastsMs)) / 1000 - this.#total
  }
}
