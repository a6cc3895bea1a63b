/**
 * The ledger of one assigned partition. Each delivered record gets the next delivery sequence; the watermark is the
 * longest completed prefix of *delivered* records, so gaps in the offsets (compaction, transaction markers) do not
 * matter. Completion is O(1) amortised, and so is the count of runs completed ahead, which bounds the commit's size.
 * Invariant: base ≤ every open sequence < next; a position never moves backward.
 */
import { doneSetBytesBound, encodeDoneSet, type Runs } from './done-set.ts'

const INITIAL_CAPACITY = 1024

export class Ledger {
  #offsets = new Float64Array(INITIAL_CAPACITY)
  #timesMs = new Float64Array(INITIAL_CAPACITY)
  #done = new Uint8Array(INITIAL_CAPACITY)
  #mask = INITIAL_CAPACITY - 1
  #base = 0
  #next = 0
  #completed = 0
  #runs = 0
  #nextOffset: number
  /** Done before this assignment, and not yet delivered again. */
  readonly #prior: Runs
  #priorAt = 0

  /** `prior`: what the last commit of an earlier assignment said was done beyond `nextOffset`. */
  constructor(nextOffset: number, prior: Runs = []) {
    this.#nextOffset = nextOffset
    this.#prior = prior
  }

  /** Delivered and not yet below the watermark: the most that a crash would have to look at again. */
  get span(): number {
    return this.#next - this.#base
  }

  get delivered(): number {
    return this.#next
  }

  /** Completions so far; a commit that saw this number is up to date. */
  get completed(): number {
    return this.#completed
  }

  /** Completions below the watermark. */
  get below(): number {
    return this.#base
  }

  /** The first offset that is not known to be done. */
  get nextOffset(): number {
    return this.#nextOffset
  }

  /** Timestamp of the oldest record that is not done, epoch ms; null when all are. */
  get oldestOpenMs(): number | null {
    return this.span === 0 ? null : (this.#timesMs[this.#base & this.#mask] as number)
  }

  /** An upper bound of the bytes that `doneAhead` takes now. */
  get doneAheadBytesBound(): number {
    const priorRuns = (this.#prior.length - this.#priorAt) / 2
    if (this.#runs + priorRuns === 0) return 0
    const end = priorRuns > 0 ? (this.#prior[this.#prior.length - 1] as number) : this.#lastOffset() + 1
    return doneSetBytesBound(this.#runs + priorRuns, end - this.#nextOffset)
  }

  /** Whether a commit of an earlier assignment said that this offset was done. Ask in rising order, before `deliver`. */
  wasDone(offset: number): boolean {
    const prior = this.#prior
    while (this.#priorAt < prior.length && (prior[this.#priorAt + 1] as number) <= offset) this.#priorAt += 2
    return this.#priorAt < prior.length && (prior[this.#priorAt] as number) <= offset
  }

  /** A record was delivered; returns its sequence. Offsets must rise. */
  deliver(offset: number, timestampMs: number): number {
    if (this.span > this.#mask) this.#grow()
    const sequence = this.#next
    const at = sequence & this.#mask
    this.#offsets[at] = offset
    this.#timesMs[at] = timestampMs
    this.#done[at] = 0
    this.#next = sequence + 1
    if (sequence === this.#base) this.#nextOffset = offset
    return sequence
  }

  /** A record is done. Each sequence once; false when it was done already. */
  complete(sequence: number): boolean {
    const mask = this.#mask
    const done = this.#done
    if (sequence < this.#base || done[sequence & mask] === 1) return false
    done[sequence & mask] = 1
    this.#completed += 1
    const joinsRight = sequence + 1 < this.#next && done[(sequence + 1) & mask] === 1
    if (sequence !== this.#base) {
      const joinsLeft = done[(sequence - 1) & mask] === 1
      this.#runs += 1 - (joinsLeft ? 1 : 0) - (joinsRight ? 1 : 0)
      return true
    }
    if (joinsRight) this.#runs -= 1
    let base = sequence + 1
    while (base < this.#next && done[base & mask] === 1) base += 1
    this.#base = base
    this.#nextOffset =
      base < this.#next ? (this.#offsets[base & mask] as number) : (this.#offsets[(base - 1) & mask] as number) + 1
    return true
  }

  /** What `Position.doneAhead` carries: the runs done beyond the watermark, in at most `maxBytes`. */
  doneAhead(maxBytes: number): Uint8Array | null {
    if (this.#runs === 0 && this.#priorAt === this.#prior.length) return null
    return encodeDoneSet(this.#nextOffset, this.runs(), maxBytes)
  }

  /** Runs of offsets done beyond the watermark. Offsets that were never delivered count with the run before them. */
  runs(): Runs {
    const runs: Runs = []
    let start = -1
    for (let sequence = this.#base; sequence < this.#next; sequence += 1) {
      const at = sequence & this.#mask
      if (this.#done[at] === 1) {
        if (start < 0) start = this.#offsets[at] as number
      } else if (start >= 0) {
        runs.push(start, this.#offsets[at] as number)
        start = -1
      }
    }
    if (start >= 0) runs.push(start, this.#lastOffset() + 1)
    return this.#withPrior(runs)
  }

  #withPrior(runs: Runs): Runs {
    const from = Math.max(this.#nextOffset, this.#lastOffset() + 1)
    for (let index = this.#priorAt; index < this.#prior.length; index += 2) {
      const start = Math.max(from, this.#prior[index] as number)
      const end = this.#prior[index + 1] as number
      if (end <= start) continue
      if (runs.length > 0 && runs[runs.length - 1] === start) runs[runs.length - 1] = end
      else runs.push(start, end)
    }
    return runs
  }

  /** The last delivered offset, or -1. */
  #lastOffset(): number {
    return this.#next === 0 ? -1 : (this.#offsets[(this.#next - 1) & this.#mask] as number)
  }

  #grow(): void {
    const capacity = (this.#mask + 1) * 2
    const offsets = new Float64Array(capacity)
    const timesMs = new Float64Array(capacity)
    const done = new Uint8Array(capacity)
    for (let sequence = this.#base; sequence < this.#next; sequence += 1) {
      const from = sequence & this.#mask
      const to = sequence & (capacity - 1)
      offsets[to] = this.#offsets[from] as number
      timesMs[to] = this.#timesMs[from] as number
      done[to] = this.#done[from] as number
    }
    this.#offsets = offsets
    this.#timesMs = timesMs
    this.#done = done
    this.#mask = capacity - 1
  }
}
