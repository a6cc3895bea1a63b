/**
 * A flatMap stage: makes several items of one. The outputs are taken from the handler's iterable only as far as the
 * next stage has room, so a record that expands to a million outputs never has a million in memory.
 */
import { classify, HeadgateError } from '../model/errors.ts'
import type { FlatMapPlan } from '../model/plan.ts'
import type { StageStatus } from '../model/status.ts'
import { CHUNK_RECORDS, Chunk } from './chunk.ts'
import type { Core } from './core.ts'
import { childOf, FILTERED, type Item, isFenced, RETURNED } from './item.ts'
import { type Place, place } from './place.ts'
import { Ring } from './ring.ts'
import { BLOCKED, CPU, IDLE } from './slot-clock.ts'
import type { Inlet, Stage } from './stage.ts'
import { StageMeter } from './stage-meter.ts'

export class FlatMapStage implements Stage {
  readonly name: string
  readonly #plan: FlatMapPlan
  readonly #core: Core
  readonly #target: Inlet
  readonly #capacity: number
  readonly #queue = new Ring<Item>()
  #queueBytes = 0
  readonly #meter: StageMeter
  /** The item whose outputs are being taken, and where they come from. */
  #current: Item | null = null
  #outputs: Iterator<unknown> | null = null
  #reason = 'idle'

  constructor(core: Core, plan: FlatMapPlan, target: Inlet, capacity: number) {
    this.#core = core
    this.#plan = plan
    this.#target = target
    this.name = plan.name
    this.#capacity = capacity
    this.#meter = new StageMeter(1, core.nowMs)
  }

  room(): number {
    return this.#capacity - this.#queue.size
  }

  offer(chunk: Chunk): void {
    this.#meter.entered += chunk.length
    for (const item of chunk.toItems()) {
      this.#queue.push(item)
      this.#queueBytes += item.bytes
    }
  }

  advance(nowMs: number): void {
    this.#meter.clock.advance(nowMs)
  }

  step(nowMs: number): boolean {
    this.advance(nowMs)
    const core = this.#core
    let moved = false
    for (;;) {
      this.#reason = this.#guard()
      if (this.#reason !== 'running') return moved
      moved = true
      const outputs: Item[] = []
      const room = Math.min(CHUNK_RECORDS, this.#target.room())
      const before = core.nowMs
      let failed: { item: Item; error: HeadgateError } | null = null
      const after = core.ports.run(() => {
        failed = this.#expand(outputs, room)
      })
      core.nowMs = Math.max(before, after)
      this.#meter.clock.run(CPU, core.nowMs - before)
      this.#meter.left += outputs.length
      core.openItems += outputs.length
      if (outputs.length > 0) this.#target.offer(Chunk.ofItems(outputs), core.nowMs)
      if (failed !== null) this.#fail(failed)
    }
  }

  #guard(): string {
    if (this.#queue.size === 0 && this.#current === null) return 'idle'
    if (this.#core.failedNow) return 'stopped'
    if (this.#target.room() <= 0) return 'blocked'
    return this.#core.canFail(this.#plan.onFailure) ? 'running' : 'dead-letter-full'
  }

  /** Takes up to `room` outputs; stops early at the first item that throws, and returns it. */
  #expand(outputs: Item[], room: number): { item: Item; error: HeadgateError } | null {
    while (outputs.length < room && (this.#current !== null || this.#queue.size > 0)) {
      const item = this.#current ?? this.#next()
      if (isFenced(item)) {
        this.#end(item, RETURNED)
        continue
      }
      try {
        if (this.#current === null) this.#open(item)
        const next = (this.#outputs as Iterator<unknown>).next()
        if (next.done === true) {
          this.#meter.succeeded(1)
          this.#end(item, FILTERED)
        } else {
          outputs.push(childOf(item, next.value))
        }
      } catch (thrown) {
        this.#current = null
        this.#outputs = null
        return { item, error: classify(thrown) }
      }
    }
    return null
  }

  #next(): Item {
    const item = this.#queue.shift() as Item
    this.#queueBytes -= item.bytes
    return item
  }

  #open(item: Item): void {
    this.#meter.started(1, 1)
    const made = (this.#plan.fn as (value: unknown, record: unknown) => unknown)(item.value, item.record)
    if (typeof (made as Iterable<unknown> | undefined)?.[Symbol.iterator] !== 'function' || typeof made === 'string') {
      throw new HeadgateError(
        'HG_RECORD_REJECTED',
        `flatMap '${this.name}' must return an array or another iterable, and returned ${typeof made}`,
      )
    }
    this.#outputs = (made as Iterable<unknown>)[Symbol.iterator]()
    this.#current = item
  }

  /** The parent ends as filtered; if outputs of it were written, that outweighs it. */
  #end(item: Item, fate: number): void {
    this.#outputs?.return?.()
    this.#current = null
    this.#outputs = null
    this.#core.finish(item, fate)
  }

  #fail({ item, error }: { item: Item; error: HeadgateError }): void {
    this.#meter.failed(error.code, 1)
    this.#core.fail(item, error, this.name, this.#plan.onFailure)
  }

  account(nowMs: number): void {
    this.#meter.reasons.set(this.#reason, nowMs)
    const { counts } = this.#meter.clock
    const waits = this.#queue.size > 0 || this.#current !== null
    counts.fill(0)
    counts[waits ? BLOCKED : IDLE] = 1
  }

  wakeMs(): number {
    return Number.POSITIVE_INFINITY
  }

  purge(drop: (item: Item) => boolean): void {
    const dropped: Item[] = []
    this.#queue.retain((item) => {
      if (drop(item)) dropped.push(item)
      return !drop(item)
    })
    for (const item of dropped) {
      this.#queueBytes -= item.bytes
      this.#core.finish(item, RETURNED)
    }
    if (this.#current !== null && drop(this.#current)) this.#end(this.#current, RETURNED)
  }

  places(): Place[] {
    const current = this.#current === null ? 0 : 1
    const bytes = this.#queueBytes + (this.#current?.bytes ?? 0)
    return [place(this.name, 'queue', this.#queue.size + current, bytes, this.#capacity)]
  }

  statuses(): StageStatus[] {
    return [this.#meter.status(this.name, 'flatMap', this.#reason, 0, 1)]
  }

  statesError(): number {
    return this.#meter.clock.error()
  }
}
