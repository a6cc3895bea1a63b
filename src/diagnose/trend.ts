/**
 * What takes longer than a window to see: how fast records arrive, whether what is not completed grows, and since when.
 * A few numbers of each status are kept, a minute of them; `Doctor` owns one.
 */
import type { Status } from '../model/status.ts'
import { grows, type Trend } from './facts.ts'
import { completed, keepApart } from './window.ts'

const KEPT_MS = 60_000
/** Slopes are taken over this, so that the randomness of arrivals averages out. */
const SLOPE_MS = 10_000
const LEAST_SLOPE_MS = 2000
/** Two counts of a backlog that are closer than this say little. */
const LEAST_ARRIVALS_MS = 1500

interface Mark {
  readonly atMs: number
  /** Of all sources together; null when one cannot tell. */
  readonly arrived: { readonly records: number; readonly atMs: number } | null
  readonly completed: number
  readonly ageMs: number
  readonly partitions: number
}

export class TrendLog {
  readonly #marks: Mark[] = []
  #growingSinceMs: number | null = null

  observe(status: Status): void {
    keepApart(this.#marks, ({ atMs }) => atMs)
    this.#marks.push({
      atMs: status.nowMs,
      arrived: arrivedOf(status),
      completed: completed(status),
      ageMs: status.queueAgeMs,
      partitions: status.sources.reduce((sum, { partitions }) => sum + partitions, 0),
    })
    while (status.nowMs - (this.#marks[0] as Mark).atMs > KEPT_MS) this.#marks.shift()
    if (grows(this.#slope())) this.#growingSinceMs ??= status.nowMs
    else this.#growingSinceMs = null
  }

  read(): Trend {
    const { slope, slopeError, arrivalsPerSecond } = this.#slope()
    const last = this.#marks.at(-1)
    const first = this.#from()
    const seconds = last === undefined || first === undefined ? 0 : (last.atMs - first.atMs) / 1000
    return {
      arrivalsPerSecond,
      slope,
      slopeError,
      growingMs: last === undefined || this.#growingSinceMs === null ? 0 : last.atMs - this.#growingSinceMs,
      ageSlope: seconds > 0 ? ((last as Mark).ageMs - (first as Mark).ageMs) / seconds : 0,
    }
  }

  /** The oldest mark within the slope's time since which the same partitions were ours. */
  #from(): Mark | undefined {
    const last = this.#marks.at(-1)
    return this.#marks.find(
      (mark) => mark.atMs >= (last as Mark).atMs - SLOPE_MS && mark.partitions === last?.partitions,
    )
  }

  #slope(): Pick<Trend, 'arrivalsPerSecond' | 'slope' | 'slopeError'> {
    const last = this.#marks.at(-1)
    const first = this.#from()
    if (last === undefined || first === undefined || last.atMs - first.atMs < LEAST_SLOPE_MS) return UNKNOWN
    const seconds = (last.atMs - first.atMs) / 1000
    const completionPerSecond = (last.completed - first.completed) / seconds
    const arrivals = this.#arrivals(first, last)
    if (arrivals === null) return UNKNOWN
    // Arrivals and completions as random as a Poisson process has them.
    const slopeError = Math.sqrt((arrivals + completionPerSecond) / seconds) + 0.01 * arrivals
    return { arrivalsPerSecond: arrivals, slope: arrivals - completionPerSecond, slopeError }
  }

  #arrivals(first: Mark, last: Mark): number | null {
    const to = last.arrived
    const from = this.#marks.find((mark) => mark.atMs >= first.atMs && mark.arrived !== null)?.arrived ?? null
    if (from === null || to === null || to.atMs - from.atMs < LEAST_ARRIVALS_MS) return null
    return Math.max(0, ((to.records - from.records) * 1000) / (to.atMs - from.atMs))
  }
}

const UNKNOWN = { arrivalsPerSecond: null, slope: null, slopeError: 0 }

/** The counts of several sources are a second apart at most: their mean time is that of their sum. */
function arrivedOf({ sources }: Status): Mark['arrived'] {
  let records = 0
  let atMs = 0
  for (const { arrived } of sources) {
    if (arrived === null) return null
    records += arrived.records
    atMs += arrived.atMs / sources.length
  }
  return sources.length === 0 ? null : { records, atMs }
}
