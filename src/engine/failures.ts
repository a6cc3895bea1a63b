/** The last records that a stage could not do, in a ring of fixed size: a failure costs no more than a few stores. */
import { columnAt } from '../model/connector.ts'
import type { HeadgateError } from '../model/errors.ts'
import type { FailureStatus } from '../model/status.ts'
import type { Item } from './item.ts'

const MOST = 32

interface Noted {
  sourceIndex: number
  partition: string
  offset: number
  stage: string
  error: HeadgateError
  atMs: number
}

export class Failures {
  readonly #ring: Noted[] = []
  #next = 0
  /** What `statuses` gave last, until something is noted. */
  #shown: FailureStatus[] | null = null

  note(item: Item, error: HeadgateError, stage: string, nowMs: number): void {
    const { partition, lot, row } = item
    const noted: Noted = this.#ring[this.#next] ?? ({} as Noted)
    noted.sourceIndex = partition.sourceIndex
    noted.partition = partition.name
    noted.offset = columnAt(lot.columns.offsets, row)
    noted.stage = stage
    noted.error = error
    noted.atMs = nowMs
    this.#shown = null
    this.#ring[this.#next] = noted
    this.#next = (this.#next + 1) % MOST
  }

  /** The last first. `sources`: their names by index; `offsetMs`: engine time + this = epoch time. */
  statuses(sources: readonly string[], offsetMs: number): FailureStatus[] {
    const { length } = this.#ring
    this.#shown ??= Array.from({ length }, (_, back) => {
      const { sourceIndex, error, atMs, ...rest } = this.#ring[(this.#next - 1 - back + 2 * length) % length] as Noted
      const { code } = error
      return { ...rest, source: sources[sourceIndex] as string, code, message: error.message, atMs: atMs + offsetMs }
    })
    return this.#shown
  }
}
