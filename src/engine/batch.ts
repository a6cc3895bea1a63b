/**
 * A batch stage: gathers items until there are enough records or bytes, or the first of them has waited long enough.
 * While it gathers, its one slot is in LINGER. A drain, or the end of the input, closes the open batch at once.
 */
import type { BatchPlan } from '../model/plan.ts'
import type { StageStatus } from '../model/status.ts'
import { Chunk } from './chunk.ts'
import type { Core } from './core.ts'
import { batchOf, type Item, isFenced, RETURNED } from './item.ts'
import { type Place, place } from './place.ts'
import { Ring } from './ring.ts'
import { BLOCKED, IDLE, LINGER } from './slot-clock.ts'
import type { Inlet, Stage } from './stage.ts'
import { StageMeter } from './stage-meter.ts'

export class BatchStage implements Stage {
  readonly name: string
  readonly #plan: BatchPlan
  readonly #core: Core
  readonly #target: Inlet
  readonly #closed = new Ring<Item[]>()
  readonly #meter: StageMeter
  readonly #capacity: number
  #open: Item[] = []
  #openBytes = 0
  #openedMs = 0
  #closedRecords = 0
  #closedBytes = 0

  constructor(core: Core, plan: BatchPlan, target: Inlet) {
    this.#core = core
    this.#plan = plan
    this.#target = target
    this.name = plan.name
    this.#capacity = Math.max(256, plan.records * 2)
    this.#meter = new StageMeter(1, core.nowMs)
  }

  room(): number {
    return this.#capacity - this.#open.length - this.#closedRecords
  }

  offer(chunk: Chunk, nowMs: number): void {
    this.#meter.entered += chunk.length
    for (const item of chunk.toItems()) {
      const bytes = item.bytes
      if (this.#open.length > 0 && this.#openBytes + bytes > this.#plan.bytes) this.#close()
      if (this.#open.length === 0) this.#openedMs = nowMs
      this.#open.push(item)
      this.#openBytes += bytes
      if (this.#open.length >= this.#plan.records) this.#close()
    }
  }

  #close(): void {
    this.#closed.push(this.#open)
    this.#closedRecords += this.#open.length
    this.#closedBytes += this.#openBytes
    this.#open = []
    this.#openBytes = 0
  }

  advance(nowMs: number): void {
    this.#meter.clock.advance(nowMs)
  }

  step(nowMs: number): boolean {
    const { draining, flushing, halted } = this.#core
    const due = nowMs >= this.#openedMs + this.#plan.withinMs || draining || flushing || halted
    // While the next stage is busy the batch goes on filling: it could not be handed over anyway.
    if (this.#open.length > 0 && due && this.#closed.size === 0 && this.#target.room() > 0) this.#close()
    let moved = false
    while (this.#closed.size > 0 && this.#target.room() > 0) {
      let members = this.#closed.shift() as Item[]
      this.#closedRecords -= members.length
      for (const member of members) this.#closedBytes -= member.bytes
      if (members.some(isFenced)) {
        for (const member of members) if (isFenced(member)) this.#core.finish(member, RETURNED)
        members = members.filter((member) => !isFenced(member))
      }
      moved = true
      if (members.length === 0) continue
      this.#meter.left += 1
      this.#meter.started(1, 1)
      this.#meter.succeeded(1)
      this.#core.openItems -= members.length - 1
      this.#target.offer(Chunk.ofItems([batchOf(members)]), nowMs)
    }
    return moved
  }

  account(nowMs: number): void {
    this.#meter.reasons.set(this.#reasonNow(), nowMs)
    this.advance(this.#core.loopMs)
    const { counts } = this.#meter.clock
    counts.fill(0)
    counts[this.#closed.size > 0 ? BLOCKED : this.#open.length > 0 ? LINGER : IDLE] = 1
  }

  wakeMs(nowMs: number): number {
    if (this.#open.length === 0) return Number.POSITIVE_INFINITY
    const dueMs = this.#openedMs + this.#plan.withinMs
    return dueMs > nowMs ? dueMs : Number.POSITIVE_INFINITY
  }

  purge(drop: (item: Item) => boolean): void {
    const dropped = this.#open.filter(drop)
    if (dropped.length > 0) {
      this.#open = this.#open.filter((item) => !drop(item))
      for (const item of dropped) this.#openBytes -= item.bytes
    }
    const closed: Item[][] = []
    this.#closed.retain((members) => {
      closed.push(members)
      return false
    })
    for (const members of closed) {
      const kept = members.filter((item) => !drop(item))
      for (const item of members) {
        if (!drop(item)) continue
        dropped.push(item)
        this.#closedRecords -= 1
        this.#closedBytes -= item.bytes
      }
      if (kept.length > 0) this.#closed.push(kept)
    }
    for (const item of dropped) this.#core.finish(item, RETURNED)
  }

  places(): Place[] {
    const records = this.#open.length + this.#closedRecords
    return [place(this.name, 'batch', records, this.#openBytes + this.#closedBytes, this.#capacity)]
  }

  statuses(): StageStatus[] {
    return [this.#meter.status(this.name, 'batch', this.#reasonNow(), 0, 1, { batchRecords: this.#plan.records })]
  }

  #reasonNow(): string {
    return this.#closed.size > 0 ? 'blocked' : this.#open.length > 0 ? 'linger' : 'idle'
  }

  statesError(): number {
    return this.#meter.clock.error()
  }
}
