/**
 * How much may be fetched, from the credit of the latest pull: four times its records, up to a bound, and half its bytes
 * may be held or under way, so that the next pull finds something while the broker works on more; but no more bytes than
 * it takes for that, which depends on how far away brokers are. The fetch loop asks before each request, and tells how
 * long each took.
 * Invariant: what is under way counts as if it had come, and no bytes are asked for beyond the credit except what a
 * broker cannot divide, one batch a request. Where the credit is few records, a batch of each partition may have more.
 */
import type { Credit } from '../../../model/connector.ts'
import { KIB, MIB } from '../../../model/units.ts'
import { PREFIX_BYTES } from '../batch/layout.ts'

/** How many times the records of a pull may be held. */
const AHEAD = 4
/** And no more records than this, however large pulls are. */
const AHEAD_RECORDS = 8192
/** What part of a pull's bytes may be held. */
const SHARE = 2
/**
 * So many bytes may be held of brokers that are near. What waits here for long outlives V8's young generation, and its
 * memory comes back late: the less is held, the less is taken by what nobody holds any more.
 */
const AHEAD_BYTES = MIB
/** So many more for each millisecond that an answer needs to come: 100 MB a second can be under way. */
const AHEAD_BYTES_A_MS = 100 * KIB
/** A broker is asked for this many bytes of a partition at the least: it costs no more than one. */
const LEAST_BYTES = 16 * KIB

/** What the demand depends on, of one partition. */
export interface Hungry {
  readonly recordBytes: number
  readonly batchBytes: number
}

export class Demand {
  #records = 0
  #bytes = 0
  #underWayRecords = 0
  #underWayBytes = 0
  /** By broker, how long the quickest of its answers took. */
  readonly #quickestMs = new Map<number, number>()
  #aheadBytes = AHEAD_BYTES

  set(credit: Credit): void {
    this.#records = Math.min(credit.records * AHEAD, AHEAD_RECORDS)
    this.#bytes = Math.max(1, Math.floor(Math.min(credit.bytes / SHARE, this.#aheadBytes)))
  }

  /** The quickest answer tells how far away a broker is; all others how busy it is, or we are. */
  answered(nodeId: number, ms: number): void {
    if (ms >= (this.#quickestMs.get(nodeId) ?? Number.POSITIVE_INFINITY)) return
    this.#quickestMs.set(nodeId, ms)
    this.#aheadBytes = AHEAD_BYTES + AHEAD_BYTES_A_MS * Math.max(...this.#quickestMs.values())
  }

  /** Nothing is wanted any more. */
  clear(): void {
    this.#records = 0
    this.#bytes = 0
  }

  /** Records that a partition among `sharers` should hold before it is fetched again. */
  lowWater(sharers: number): number {
    return this.#records / (2 * Math.max(1, sharers))
  }

  left(held: Credit): Credit {
    return {
      records: this.#records - held.records - this.#underWayRecords,
      bytes: this.#bytes - held.bytes - this.#underWayBytes,
    }
  }

  /**
   * How many bytes to ask for of one of `sharers` partitions that share `left`: whole batches, since what a broker sends
   * of one that is cut off is sent again, and the head of the one behind them, which says how large the next request has
   * to be. Batches that differ in size still fit: `batchBytes` is what the head said that was seen last, or more.
   */
  bytesFor({ recordBytes, batchBytes }: Hungry, left: Credit, sharers: number, mostBytes: number): number {
    const wanted = Math.min(Math.ceil((left.records / sharers) * recordBytes), Math.ceil(left.bytes / sharers))
    const bytes = Math.min(mostBytes, Math.max(wanted, LEAST_BYTES))
    if (batchBytes === 0) return bytes
    return Math.max(1, Math.floor(bytes / batchBytes)) * batchBytes + PREFIX_BYTES
  }

  begin(expected: Credit): void {
    this.#underWayRecords += expected.records
    this.#underWayBytes += expected.bytes
  }

  end(expected: Credit): void {
    this.#underWayRecords -= expected.records
    this.#underWayBytes -= expected.bytes
  }
}
