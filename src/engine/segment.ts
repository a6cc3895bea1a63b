/**
 * A run of synchronous stages (map, filter, tap) between two queues. Each stage is applied to a whole chunk in one
 * loop, with one reading of the clock a stage a chunk, and a chunk is started only when the next queue has room for it.
 */
import { classify, HeadgateError } from '../model/errors.ts'
import type { StageStatus } from '../model/status.ts'
import { canSeeSecondArgument } from './arity.ts'
import { bytesOf, CHUNK_RECORDS, type Chunk, type Refs } from './chunk.ts'
import { ChunkQueue } from './chunk-queue.ts'
import type { Ports } from './commands.ts'
import type { Core } from './core.ts'
import { AS_IT_IS, oversized, type Step } from './decode.ts'
import { Durations } from './durations.ts'
import { Histogram } from './histogram.ts'
import { FILTERED, type Item, isFenced, RETURNED } from './item.ts'
import { type Place, place } from './place.ts'
import { ReasonClock } from './reason-clock.ts'
import { BLOCKED, CPU, IDLE, SlotClock } from './slot-clock.ts'
import type { Inlet, Stage } from './stage.ts'
import { NO_SETTINGS } from './stage-meter.ts'
import { type Handler, LOOPS, type Loop, type LoopState, ownCopy } from './sync-loops.ts'

/** In one loop the stages of a segment keep the thread no longer than this: calls are to be started and answered in between. */
const TURN_MS = 10

export class Segment implements Stage {
  readonly name: string
  readonly steps: readonly SyncStep[]
  readonly #core: Core
  readonly #target: Inlet
  readonly #capacity: number
  /** The least room for which a chunk is cut: crumbs would cost more than they move. */
  readonly #worthwhile: number
  readonly #queue = new ChunkQueue()
  readonly #reasons: ReasonClock
  #reason = 'idle'
  /** In the loop that began at `#turnLoopMs`. */
  #turnMs = 0
  #turnLoopMs = Number.NEGATIVE_INFINITY
  /** What a record took of late: a chunk is cut so that it fits into a turn. */
  #recordMs = 0

  constructor(core: Core, plans: readonly Step[], target: Inlet, capacity: number) {
    this.#core = core
    this.steps = plans.map((plan) => new SyncStep(plan, core.ports, core.nowMs))
    this.name = plans.map((plan) => plan.name).join('+')
    this.#target = target
    this.#reasons = new ReasonClock(core.nowMs)
    this.#capacity = capacity
    this.#worthwhile = Math.max(1, Math.min(CHUNK_RECORDS, Math.floor(target.room() / 8)))
  }

  get loops(): (readonly [stage: string, loop: Loop])[] {
    return this.steps.flatMap(({ plan, ownLoop }) => (ownLoop === null ? [] : [[plan.name, ownLoop] as const]))
  }

  room(): number {
    return this.#capacity - this.#queue.size
  }

  offer(chunk: Chunk): void {
    this.#queue.push(chunk)
  }

  advance(nowMs: number): void {
    for (const step of this.steps) step.clock.advance(nowMs)
  }

  step(nowMs: number): boolean {
    const core = this.#core
    if (this.#turnLoopMs !== nowMs) {
      this.advance(nowMs)
      this.#turnLoopMs = nowMs
      this.#turnMs = 0
    }
    let moved = false
    while (this.#queue.size > 0) {
      this.#reason = this.#guard()
      if (this.#reason !== 'running') return moved
      const chunk = this.#queue.shift(Math.min(this.#chunkRecords(), this.#target.room()))
      const before = core.nowMs
      const { length } = chunk
      moved = true
      if (chunk.hasFenced) this.#dropFenced(chunk)
      for (const step of this.steps) {
        if (chunk.length === 0) break
        this.#run(step, chunk)
      }
      this.#turnMs += core.nowMs - before
      this.#recordMs = (core.nowMs - before) / length
      if (chunk.length > 0) this.#target.offer(chunk, core.nowMs)
    }
    this.#reason = 'idle'
    return moved
  }

  #chunkRecords(): number {
    if (this.#recordMs * CHUNK_RECORDS < TURN_MS) return CHUNK_RECORDS
    return Math.max(1, Math.floor((TURN_MS - this.#turnMs) / this.#recordMs))
  }

  #guard(): string {
    if (this.#core.failedNow) return 'stopped'
    if (this.#turnMs >= TURN_MS) return 'turn'
    if (this.#target.room() < this.#worthwhile) return 'blocked'
    for (const step of this.steps) if (!this.#core.canFail(step.plan.onFailure)) return 'dead-letter-full'
    return 'running'
  }

  #run(step: SyncStep, chunk: Chunk): void {
    const core = this.#core
    const before = core.nowMs
    const after = core.ports.run(() => step.apply(chunk))
    core.nowMs = Math.max(before, after)
    step.clock.run(CPU, core.nowMs - before)
    const { dropped, failed } = step
    if (dropped.length > 0) core.finishAll(chunk.lot, dropped, bytesOf(chunk.lot, dropped), FILTERED)
    for (const { item, error } of failed) core.fail(item, error, step.plan.name, step.plan.onFailure)
  }

  #dropFenced(chunk: Chunk): void {
    let kept = 0
    for (let at = 0; at < chunk.length; at += 1) {
      const item = chunk.itemAt(at)
      if (isFenced(item)) this.#core.finish(item, RETURNED)
      else chunk.move(at, kept++)
    }
    chunk.truncate(kept)
  }

  account(nowMs: number): void {
    this.#reasons.set(this.#reason, nowMs)
    for (const { clock } of this.steps) {
      clock.counts[IDLE] = this.#queue.size === 0 ? 1 : 0
      clock.counts[BLOCKED] = this.#queue.size === 0 ? 0 : 1
    }
  }

  wakeMs(nowMs: number): number {
    return this.#reason === 'turn' ? nowMs : Number.POSITIVE_INFINITY
  }

  purge(drop: (item: Item) => boolean): void {
    for (const item of this.#queue.purge(drop)) this.#core.finish(item, RETURNED)
  }

  places(): Place[] {
    const { size, bytes } = this.#queue
    return [place(this.name, 'queue', size, bytes, this.#capacity)]
  }

  statuses(nowMs: number): StageStatus[] {
    const reasonSeconds = this.#reasons.seconds(nowMs)
    return this.steps.map((step) => step.status(this.#reason, reasonSeconds))
  }

  statesError(): number {
    return Math.max(...this.steps.map((step) => step.clock.error()))
  }
}

/** One synchronous stage: its function, its counters and its clock. */
class SyncStep {
  readonly plan: Step
  readonly clock: SlotClock
  /** What the last chunk left behind. */
  failed: { item: Item; error: HeadgateError }[] = []
  readonly #fn: Handler
  readonly #loop: Loop
  readonly #state: LoopState
  readonly #ports: Ports
  #in = 0
  #out = 0
  #failures = 0

  constructor(plan: Step, ports: Ports, nowMs: number) {
    this.plan = plan
    this.#ports = ports
    this.#fn = plan.fn as Handler
    this.#loop = ownCopy(LOOPS[plan.kind])
    this.#state = {
      at: 0,
      kept: 0,
      dropped: [],
      takesRecord: canSeeSecondArgument(this.#fn),
      check: null,
      refuse: (result) => this.#refuse(result),
    }
    this.clock = new SlotClock(1, nowMs)
  }

  /** Null where it runs none, or the loop that all stages of its kind share. */
  get ownLoop(): Loop | null {
    const { kind, fn } = this.plan
    return fn === AS_IT_IS || this.#loop === LOOPS[kind] ? null : this.#loop
  }

  /** What a filter turned away of the last chunk. */
  get dropped(): Refs {
    return this.#state.dropped
  }

  /** Leaves in `chunk` what passed; what did not is in `dropped` and `failed`. */
  apply(chunk: Chunk): void {
    const state = this.#state
    const entered = chunk.length
    state.dropped = []
    this.failed = []
    state.check = this.#anyTooLarge(chunk) ? this.#refuseTooLarge : null
    // Nothing to run and nothing to refuse: the chunk passes as it is.
    state.at = this.plan.fn === AS_IT_IS && state.check === null ? entered : 0
    state.kept = state.at
    // One try for the run between two failures, not one for each record.
    while (state.at < entered) {
      try {
        this.#loop(this.#fn, chunk, state)
      } catch (thrown) {
        this.failed.push({ item: chunk.itemAt(state.at), error: classify(thrown) })
        this.#failures += 1
        state.at += 1
      }
    }
    if (state.kept < entered) chunk.truncate(state.kept)
    this.#in += entered
    this.#out += state.kept
  }

  #anyTooLarge(chunk: Chunk): boolean {
    const { maxRecordBytes } = this.plan
    if (maxRecordBytes === undefined) return false
    if (chunk.lot !== null) return chunk.lot.mostBytes > maxRecordBytes
    for (let at = 0; at < chunk.length; at += 1) if (chunk.bytesAt(at) > maxRecordBytes) return true
    return false
  }

  readonly #refuseTooLarge = (chunk: Chunk, at: number): void => {
    const bytes = chunk.bytesAt(at)
    const most = this.plan.maxRecordBytes as number
    if (bytes > most) throw oversized(bytes, most)
  }

  /** Throws if a handler must not return this; anything but a promise and undefined is fine. */
  #refuse(value: unknown): void {
    const { kind, name } = this.plan
    if (value === undefined) {
      throw new HeadgateError(
        'HG_RECORD_REJECTED',
        `${kind} '${name}' returned undefined. Return a value (null is one); to drop a record use filter, for a side effect use tap`,
      )
    }
    if (typeof (value as { then: unknown }).then !== 'function') return
    this.#ports.ignore(value)
    throw new HeadgateError(
      'HG_OPTION_INVALID',
      `${kind} '${name}' returned a promise. It runs synchronously: use call for asynchronous work`,
    )
  }

  status(reason: string, reasonSeconds: Record<string, number>): StageStatus {
    return {
      name: this.plan.name,
      kind: this.plan.kind,
      in: this.#in,
      out: this.#out,
      first: this.#in,
      attempts: this.#in,
      ok: this.#in - this.#failures,
      rejected429: 0,
      failed: this.#failures,
      timeouts: 0,
      inFlight: 0,
      limit: null,
      reason,
      states: this.clock.seconds(),
      reasonSeconds,
      settings: NO_SETTINGS,
      durations: NO_DURATIONS,
      latencyMs: NO_LATENCY,
      limiters: [],
    }
  }
}

const NO_LATENCY = new Histogram().status()
const NO_DURATIONS = new Durations().sums()

/** What runs the loops. */
export const { apply: RUNS_LOOPS } = SyncStep.prototype
