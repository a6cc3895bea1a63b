/**
 * The ledger of one assigned partition. Each delivered record gets the next delivery sequence; the watermark is the
 * longest completed prefix of *delivered* records, so gaps in the offsets (compaction, transaction markers) do not
 * matter. What a pull delivers is one span; spans that are done merge with their neighbours, so what lies behind a
 * stuck record costs next to nothing. Completion is O(1), and so is the bound of the commit's size.
 * Invariant: the first span is open, and no two neighbours are both done; a position never moves backward.
 */
import { type Column, columnAt, type Position } from '../model/connector.ts'
import { doneSetBytesBound, encodeDoneSet, type Runs } from './done-set.ts'

const NO_NUMBERS = new Float64Array(0)
const NO_FLAGS = new Uint8Array(0)
/** In `Span.done`, beside 0 and 1: done if the transaction that is about to end is committed. */
const PROPOSED = 2

/** Records delivered together, and which of them are done. Only the ledger changes it. */
export class Span {
  readonly firstSequence: number
  readonly firstOffset: number
  /** By row, until all are done. */
  offsets: Float64Array
  timestampsMs: Column
  done: Uint8Array
  /** Rows that are not done. */
  left: number
  /** All rows before this one are done. */
  low = 0
  previous: Span | null = null
  next: Span | null = null

  constructor(firstSequence: number, offsets: Float64Array, timestampsMs: Column) {
    this.firstSequence = firstSequence
    this.firstOffset = offsets[0] as number
    this.offsets = offsets
    this.timestampsMs = timestampsMs
    this.done = new Uint8Array(offsets.length)
    this.left = offsets.length
  }

  /** At most so many runs of done rows: each but the last ends at a row that is open. */
  get runsBound(): number {
    return this.left === 0 ? 1 : Math.min(this.offsets.length - this.left, this.left + 1)
  }
}

/** Where a transaction that is about to end would stand. */
export interface Proposed extends Pick<Position, 'nextOffset' | 'doneAhead'> {
  /** Timestamp of the record at `nextOffset`, epoch ms; null when it was not delivered yet. */
  readonly oldestLeftMs: number | null
}

export class Ledger {
  /** In delivery order: from the first that is not done to the last delivered. */
  #first: Span | null = null
  #last: Span | null = null
  #delivered = 0
  #completed = 0
  #lastOffset = -1
  /** The sum of the spans' bounds. */
  #runsBound = 0
  #proposed = 0
  readonly #startOffset: number
  /** Done before this assignment, and not yet delivered again. */
  readonly #prior: Runs
  #priorAt = 0

  /** `prior`: what the last commit of an earlier assignment said was done beyond `nextOffset`. */
  constructor(nextOffset: number, prior: Runs = []) {
    this.#startOffset = nextOffset
    this.#prior = prior
  }

  get delivered(): number {
    return this.#delivered
  }

  /** Completions so far; a commit that saw this number is up to date. */
  get completed(): number {
    return this.#completed
  }

  /** Completions below the watermark. */
  get below(): number {
    return this.#first === null ? this.#delivered : this.#first.firstSequence + lowOf(this.#first)
  }

  /** The first offset that is not known to be done. */
  get nextOffset(): number {
    if (this.#first !== null) return this.#first.offsets[lowOf(this.#first)] as number
    return this.#delivered === 0 ? this.#startOffset : this.#lastOffset + 1
  }

  /** Timestamp of the oldest record that is not done, epoch ms; null when all are. */
  get oldestOpenMs(): number | null {
    return this.#first === null ? null : columnAt(this.#first.timestampsMs, lowOf(this.#first))
  }

  /** An upper bound of the bytes that `doneAhead` takes now. */
  get doneAheadBytesBound(): number {
    const priorRuns = (this.#prior.length - this.#priorAt) / 2
    if (this.#runsBound + priorRuns === 0) return 0
    const end = priorRuns > 0 ? (this.#prior[this.#prior.length - 1] as number) : this.#lastOffset + 1
    return doneSetBytesBound(this.#runsBound + priorRuns, end - this.nextOffset)
  }

  /** Whether `wasDone` could say yes to an offset that is still to come. */
  get hasPrior(): boolean {
    return this.#priorAt < this.#prior.length
  }

  /** Whether a commit of an earlier assignment said that this offset was done. Ask in rising order. */
  wasDone(offset: number): boolean {
    const prior = this.#prior
    while (this.#priorAt < prior.length && (prior[this.#priorAt + 1] as number) <= offset) this.#priorAt += 2
    return this.#priorAt < prior.length && (prior[this.#priorAt] as number) <= offset
  }

  /** Records were delivered, at least one, in rising offsets. Takes both arrays. */
  deliver(offsets: Float64Array, timestampsMs: Column): Span {
    const span = new Span(this.#delivered, offsets, timestampsMs)
    span.previous = this.#last
    if (this.#last === null) this.#first = span
    else this.#last.next = span
    this.#last = span
    this.#delivered += offsets.length
    this.#lastOffset = offsets[offsets.length - 1] as number
    return span
  }

  /** A record is done. Each row once; false when it was done already. */
  complete(span: Span, row: number): boolean {
    if (span.left === 0 || span.done[row] === 1) return false
    const before = span.runsBound
    span.done[row] = 1
    this.#marked(span, 1, before)
    return true
  }

  /** The records of these rows are done; false as soon as one of them was done already. */
  completeAll(span: Span, rows: readonly number[]): boolean {
    if (span.left < rows.length) return false
    const before = span.runsBound
    const { done } = span
    for (let at = 0; at < rows.length; at += 1) {
      const row = rows[at] as number
      if (done[row] === 1) return false
      done[row] = 1
    }
    this.#marked(span, rows.length, before)
    return true
  }

  #marked(span: Span, rows: number, boundBefore: number): void {
    span.left -= rows
    this.#completed += rows
    this.#runsBound += span.runsBound - boundBefore
    if (span.left === 0) this.#close(span)
  }

  /** All of a span is done: it gives up what it holds, and is one with neighbours that are done as well. */
  #close(span: Span): void {
    span.offsets = NO_NUMBERS
    span.timestampsMs = 0
    span.done = NO_FLAGS
    if (span.next?.left === 0) this.#unlink(span.next)
    if (span === this.#first || span.previous?.left === 0) this.#unlink(span)
  }

  #unlink(span: Span): void {
    const { previous, next } = span
    if (previous === null) this.#first = next
    else previous.next = next
    if (next === null) this.#last = previous
    else next.previous = previous
    this.#runsBound -= 1
  }

  // ── What a transaction that is about to end would complete ───────────────

  /** Counts the row as done in `proposedPosition`, and nowhere else, until it is withdrawn. */
  propose(span: Span, row: number): void {
    if (span.left === 0 || span.done[row] !== 0) return
    span.done[row] = PROPOSED
    this.#proposed += 1
  }

  withdraw(span: Span, row: number): void {
    if (span.left === 0 || span.done[row] !== PROPOSED) return
    span.done[row] = 0
    this.#proposed -= 1
  }

  /** Rows that are proposed. */
  get proposed(): number {
    return this.#proposed
  }

  /** The position with what is proposed counted as done; null when `maxBytes` cannot carry all that is done ahead. */
  proposedPosition(maxBytes: number): Proposed | null {
    const runs: Runs = []
    let nextOffset = -1
    let oldestLeftMs: number | null = null
    let start = -1
    for (let span = this.#first; span !== null; span = span.next) {
      if (span.left === 0) {
        if (nextOffset >= 0 && start < 0) start = span.firstOffset
        continue
      }
      const { done, offsets } = span
      for (let row = span.low; row < done.length; row += 1) {
        const offset = offsets[row] as number
        if (done[row] !== 0) {
          if (nextOffset >= 0 && start < 0) start = offset
        } else if (nextOffset < 0) {
          nextOffset = offset
          oldestLeftMs = columnAt(span.timestampsMs, row)
        } else if (start >= 0) {
          runs.push(start, offset)
          start = -1
        }
      }
    }
    if (nextOffset < 0) nextOffset = this.#delivered === 0 ? this.#startOffset : this.#lastOffset + 1
    else if (start >= 0) runs.push(start, this.#lastOffset + 1)
    const doneAhead = encodeDoneSet(nextOffset, this.#withPrior(runs, nextOffset), Number.POSITIVE_INFINITY)
    return doneAhead !== null && doneAhead.length > maxBytes ? null : { nextOffset, doneAhead, oldestLeftMs }
  }

  /** What `Position.doneAhead` carries: the runs done beyond the watermark, in at most `maxBytes`. */
  doneAhead(maxBytes: number): Uint8Array | null {
    if (this.#runsBound === 0 && !this.hasPrior) return null
    return encodeDoneSet(this.nextOffset, this.runs(), maxBytes)
  }

  /** Runs of offsets done beyond the watermark. Offsets that were never delivered count with the run before them. */
  runs(): Runs {
    const runs: Runs = []
    let start = -1
    for (let span = this.#first; span !== null; span = span.next) {
      if (span.left === 0) {
        if (start < 0) start = span.firstOffset
        continue
      }
      const { done, offsets } = span
      for (let row = span === this.#first ? lowOf(span) : 0; row < done.length; row += 1) {
        if (done[row] === 1) {
          if (start < 0) start = offsets[row] as number
        } else if (start >= 0) {
          runs.push(start, offsets[row] as number)
          start = -1
        }
      }
    }
    if (start >= 0) runs.push(start, this.#lastOffset + 1)
    return this.#withPrior(runs, this.nextOffset)
  }

  #withPrior(runs: Runs, nextOffset: number): Runs {
    const from = Math.max(nextOffset, this.#lastOffset + 1)
    for (let index = this.#priorAt; index < this.#prior.length; index += 2) {
      const start = Math.max(from, this.#prior[index] as number)
      const end = this.#prior[index + 1] as number
      if (end <= start) continue
      if (runs.length > 0 && runs[runs.length - 1] === start) runs[runs.length - 1] = end
      else runs.push(start, end)
    }
    return runs
  }
}

/** The first row that is not done, of a span that has one. */
function lowOf(span: Span): number {
  while (span.done[span.low] === 1) span.low += 1
  return span.low
}
