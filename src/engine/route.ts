/**
 * A route: names a branch for each item and hands it over. Each branch has a line of its own in front of it, with a
 * bound of its own, so a branch that is slow is noticed by the others only once its line is full.
 */
import { classify, HeadgateError } from '../model/errors.ts'
import type { RoutePlan } from '../model/plan.ts'
import type { StageStatus } from '../model/status.ts'
import { CHUNK_RECORDS, Chunk } from './chunk.ts'
import { ChunkQueue } from './chunk-queue.ts'
import type { Core } from './core.ts'
import { type Item, isFenced, RETURNED } from './item.ts'
import { type Place, place } from './place.ts'
import { BLOCKED, CPU, IDLE } from './slot-clock.ts'
import type { Inlet, Stage } from './stage.ts'
import { StageMeter } from './stage-meter.ts'

interface Branch {
  readonly name: string
  readonly target: Inlet
  readonly line: ChunkQueue
}

export class RouteStage implements Stage {
  readonly name: string
  readonly #plan: RoutePlan
  readonly #core: Core
  readonly #branches = new Map<string, Branch>()
  readonly #queue = new ChunkQueue()
  readonly #meter: StageMeter
  #reason = 'idle'

  constructor(core: Core, plan: RoutePlan, targets: ReadonlyMap<string, Inlet>) {
    this.#core = core
    this.#plan = plan
    this.name = plan.name
    for (const [name, target] of targets) this.#branches.set(name, { name, target, line: new ChunkQueue() })
    this.#meter = new StageMeter(1, core.nowMs)
  }

  room(): number {
    return this.#plan.queueRecords - this.#queue.size
  }

  offer(chunk: Chunk): void {
    this.#meter.entered += chunk.length
    this.#queue.push(chunk)
  }

  advance(nowMs: number): void {
    this.#meter.clock.advance(nowMs)
  }

  step(nowMs: number): boolean {
    this.advance(nowMs)
    let moved = this.#handOver(nowMs)
    for (;;) {
      this.#reason = this.#guard()
      if (this.#reason !== 'running') return moved
      moved = true
      this.#select(this.#queue.shift(Math.min(CHUNK_RECORDS, this.#smallestRoom())).toItems())
      this.#handOver(this.#core.nowMs)
    }
  }

  #guard(): string {
    if (this.#queue.size === 0) return 'idle'
    if (this.#core.failedNow) return 'stopped'
    if (!this.#core.canFail(this.#plan.onFailure)) return 'dead-letter-full'
    // Which branch the next item wants is not known before `select` has run: each must have room for it.
    for (const { name, line } of this.#branches.values())
      if (line.size >= this.#plan.queueRecords) return `branch-full:${name}`
    return 'running'
  }

  #smallestRoom(): number {
    let room = CHUNK_RECORDS
    for (const { line } of this.#branches.values()) room = Math.min(room, this.#plan.queueRecords - line.size)
    return room
  }

  #select(chunk: Item[]): void {
    const core = this.#core
    const select = this.#plan.select as (value: unknown, record: unknown) => string
    const lines = new Map<Branch, Item[]>()
    const failed: { item: Item; error: HeadgateError }[] = []
    const before = core.nowMs
    const after = core.ports.run(() => {
      for (const item of chunk) {
        try {
          const name = select(item.value, item.record)
          const branch = this.#branches.get(name)
          if (branch === undefined) throw unknownBranch(this.name, name, this.#branches)
          const line = lines.get(branch)
          if (line === undefined) lines.set(branch, [item])
          else line.push(item)
        } catch (thrown) {
          failed.push({ item, error: classify(thrown) })
        }
      }
    })
    core.nowMs = Math.max(before, after)
    this.#meter.clock.run(CPU, core.nowMs - before)
    this.#meter.started(chunk.length, chunk.length)
    this.#meter.succeeded(chunk.length - failed.length)
    for (const [branch, items] of lines) branch.line.push(Chunk.ofItems(items))
    for (const { item, error } of failed) {
      this.#meter.failed(error.code, 1)
      core.fail(item, error, this.name, this.#plan.onFailure)
    }
  }

  #handOver(nowMs: number): boolean {
    let moved = false
    for (const { line, target } of this.#branches.values()) {
      while (line.size > 0) {
        const room = target.room()
        if (room <= 0) break
        const items = line.shift(room).toItems()
        moved = true
        const wanted = items.some(isFenced) ? items.filter((item) => !isFenced(item)) : items
        if (wanted !== items) for (const item of items) if (isFenced(item)) this.#core.finish(item, RETURNED)
        this.#meter.left += wanted.length
        if (wanted.length > 0) target.offer(Chunk.ofItems(wanted), nowMs)
      }
    }
    return moved
  }

  account(nowMs: number): void {
    this.#meter.reasons.set(this.#reason, nowMs)
    const { counts } = this.#meter.clock
    counts.fill(0)
    counts[this.#queue.size > 0 ? BLOCKED : IDLE] = 1
  }

  wakeMs(): number {
    return Number.POSITIVE_INFINITY
  }

  purge(drop: (item: Item) => boolean): void {
    const dropped = this.#queue.purge(drop)
    for (const { line } of this.#branches.values()) dropped.push(...line.purge(drop))
    for (const item of dropped) this.#core.finish(item, RETURNED)
  }

  places(): Place[] {
    const { size, bytes } = this.#queue
    const { queueRecords } = this.#plan
    const branches = Array.from(this.#branches.values(), ({ name, line }) => {
      const owner = `${this.name} › ${name}`
      return { ...place(owner, 'queue', line.size, line.bytes, queueRecords), name: owner }
    })
    return [place(this.name, 'queue', size, bytes, queueRecords), ...branches]
  }

  statuses(): StageStatus[] {
    return [this.#meter.status(this.name, 'route', this.#reason, 0, 1)]
  }

  statesError(): number {
    return this.#meter.clock.error()
  }
}

function unknownBranch(route: string, name: unknown, branches: ReadonlyMap<string, unknown>): HeadgateError {
  const known = [...branches.keys()].map((branch) => `'${branch}'`).join(', ')
  return new HeadgateError(
    'HG_RECORD_REJECTED',
    `route '${route}' chose ${JSON.stringify(name) ?? String(name)}, but its branches are ${known}`,
  )
}
