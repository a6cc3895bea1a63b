/**
 * One write on its way: its records are parcels in the lanes of their partitions, and the write is over when each has
 * its outcome. Invariant: the promise settles once; after an abort nothing of it that was not sent yet is sent.
 */
import type { WriteOutcome, WriteResult } from '../../../model/connector.ts'
import { HeadgateError } from '../../../model/errors.ts'
import type { EncodableRecord } from '../batch/encode.ts'

const WRITTEN: WriteOutcome = { kind: 'written' }

/** One record on its way. */
export interface Parcel {
  readonly record: EncodableRecord
  /** About what it takes in a batch. */
  readonly bytes: number
  readonly delivery: Delivery
  /** Its place in the write. */
  readonly index: number
  /** When it is given up, on the monotonic clock. */
  readonly giveUpMs: number
}

export class Delivery {
  readonly done: Promise<WriteResult>
  readonly #outcomes: (WriteOutcome | undefined)[]
  #left: number
  #allWritten = true
  #over = false
  #resolve!: (result: WriteResult) => void
  #reject!: (error: unknown) => void

  constructor(records: number, signal: AbortSignal) {
    this.#outcomes = new Array<WriteOutcome | undefined>(records)
    this.#left = records
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    const abort = (): void => this.#abort(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    this.done.catch(() => {}).finally(() => signal.removeEventListener('abort', abort))
  }

  /** Whether this record of it is still to be sent. */
  wants(index: number): boolean {
    return !this.#over && this.#outcomes[index] === undefined
  }

  written(index: number): void {
    this.#settle(index, WRITTEN)
  }

  failed(index: number, kind: 'rejected' | 'failed', error: HeadgateError): void {
    this.#allWritten = false
    this.#settle(index, { kind, error })
  }

  #settle(index: number, outcome: WriteOutcome): void {
    if (this.#outcomes[index] !== undefined) return
    this.#outcomes[index] = outcome
    this.#left -= 1
    if (this.#left > 0 || this.#over) return
    this.#over = true
    this.#resolve(this.#allWritten ? 'written' : (this.#outcomes as WriteOutcome[]))
  }

  #abort(reason: unknown): void {
    if (this.#over) return
    this.#over = true
    const text = 'the write was given up; what of it was sent already may be stored all the same'
    this.#reject(new HeadgateError('HG_TIMEOUT', text, { cause: reason }))
  }
}
