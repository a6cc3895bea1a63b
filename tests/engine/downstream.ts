/**
 * An engine in virtual time against a modelled downstream: a source, endless unless `records` says how many it has,
 * servers that work in the order of arrival, and a sink that is always ready. For tests of how calls are limited.
 */
import { dueAt, Heap } from '../../src/engine/heap.ts'
import type { Slot } from '../../src/engine/slots.ts'
import type { RecordBatch } from '../../src/model/connector.ts'
import type { Plan } from '../../src/model/plan.ts'
import { NO_HEADERS } from '../../src/model/record.ts'
import { Hand } from './hand.ts'

/** How a call ends: after so many ms, by throwing if `thrown` is not null. */
export interface Answer {
  readonly afterMs: number
  readonly thrown?: unknown
}

export type Downstream = (offset: number, nowMs: number, slot: Slot) => Answer

/** `servers` that each take `serviceMs` a call; what finds them busy waits. */
export function servers(count: number, serviceMs: number): Downstream {
  const freeMs = new Array<number>(count).fill(0)
  return (_offset, nowMs) => {
    let first = 0
    for (let index = 1; index < count; index += 1) if (freeMs[index]! < freeMs[first]!) first = index
    freeMs[first] = Math.max(nowMs, freeMs[first]!) + serviceMs
    return { afterMs: freeMs[first]! - nowMs }
  }
}

/** A pull that finds nothing waits so long. */
export const EMPTY_PULL_MS = 100

interface Event {
  readonly dueMs: number
  readonly apply: () => void
}

export class Drive {
  readonly hand: Hand
  readonly #downstream: Downstream
  readonly #events = new Heap<Event>(dueAt)
  #offset = 0
  /** The source has so many; what is added later is pulled then. */
  records = Number.POSITIVE_INFINITY
  /** Calls that were started, by when. */
  readonly startedMs: number[] = []
  /** Offsets that reached the sink, and when. */
  readonly done: { readonly offset: number; readonly atMs: number }[] = []

  constructor(plan: Plan, downstream: Downstream, learned?: unknown) {
    this.hand = new Hand(plan, ['p'], learned)
    this.#downstream = downstream
  }

  completedBetween(fromMs: number, toMs: number): number {
    return this.done.filter(({ atMs }) => atMs >= fromMs && atMs < toMs).length
  }

  startedBetween(fromMs: number, toMs: number): number {
    return this.startedMs.filter((atMs) => atMs >= fromMs && atMs < toMs).length
  }

  run(untilMs: number): void {
    const { hand } = this
    this.#perform()
    while (hand.nowMs < untilMs) {
      const first = Math.min(hand.engine.wakeMs(), this.#nextMs())
      const nextMs = Math.min(untilMs, Math.max(first, hand.nowMs))
      hand.step(() => {
        while (this.#nextMs() <= nextMs) this.#events.pop()?.apply()
      }, nextMs - hand.nowMs)
      this.#perform()
    }
  }

  #nextMs(): number {
    return this.#events.peek()?.dueMs ?? Number.POSITIVE_INFINITY
  }

  #perform(): void {
    const { hand } = this
    const { engine } = hand
    while (hand.commands.length > 0) {
      const command = hand.commands.shift()!
      if (command.kind === 'call') {
        for (const slot of command.slots) this.#call(slot)
      } else if (command.kind === 'pull') {
        this.#pull(command.credit.records)
      } else if (command.kind === 'write') {
        for (const offset of command.write.values as number[]) this.done.push({ offset, atMs: hand.nowMs })
        hand.step(() => engine.wrote(command.stage, command.write, 'written'))
      } else if (command.kind === 'commit') {
        hand.step(() => engine.committed(0, null))
      }
    }
  }

  #call(slot: Slot): void {
    const { hand } = this
    this.startedMs.push(hand.nowMs)
    const { afterMs, thrown } = this.#downstream(slot.item!.value as number, hand.nowMs, slot)
    const apply = (): void => {
      if (slot.retired) return
      slot.threw = thrown !== undefined
      slot.result = thrown ?? slot.item?.value
      hand.engine.settled(slot)
    }
    this.#events.push({ dueMs: hand.nowMs + afterMs, apply })
  }

  #pull(credit: number): void {
    const { hand } = this
    const records = Math.min(credit, this.records - this.#offset)
    if (records === 0) {
      this.#events.push({ dueMs: hand.nowMs + EMPTY_PULL_MS, apply: () => this.#pulled([]) })
    } else {
      const batches = [this.#batch(records)]
      hand.step(() => this.#pulled(batches))
    }
  }

  #pulled(batches: RecordBatch[]): void {
    this.hand.engine.pulled(0, { batches, ended: false }, { records: 0, bytes: 0 })
  }

  #batch(records: number): RecordBatch {
    const first = this.#offset
    this.#offset += records
    return {
      partition: 'p',
      epoch: 1,
      records: Array.from({ length: records }, (_, at) => ({
        key: null,
        partition: 'p',
        offset: first + at,
        timestampMs: 0,
        headers: NO_HEADERS,
        bytes: 10,
        value: first + at,
      })),
    }
  }
}
