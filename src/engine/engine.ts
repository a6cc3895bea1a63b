/**
 * The engine: a state machine between the sources and the sinks. Inputs say what happened (`pulled`, `settled`,
 * `wrote`, `committed`, `assigned` …), `resume` does all that can be done now, and `takeCommands` says what the world
 * is to do next. There is no clock, timer, randomness or I/O in here: time comes with `resume`, jitter from a seed.
 * The same inputs at the same times give the same commands.
 */
import type { Assignment, Credit, Pulled, WriteResult } from '../model/connector.ts'
import { classify, type HeadgateError } from '../model/errors.ts'
import type { CommitPlan, Plan, StagePlan } from '../model/plan.ts'
import { Admission } from './admission.ts'
import type { CallStage } from './call.ts'
import type { Command, Ports, Writer } from './commands.ts'
import { Core } from './core.ts'
import { type Flow, layOut } from './flow.ts'
import type { Latencies } from './histogram.ts'
import { Intake } from './intake.ts'
import { type Item, isFenced, isRevoking, isStarted } from './item.ts'
import type { LearnedLimits, LearnedPool } from './limiter-pool.ts'
import { checkLimits, type Limits, type PresentLimits } from './limits.ts'
import type { Partition } from './partition.ts'
import type { Caller, Slot } from './slots.ts'
import { type EngineSnapshot, takeSnapshot } from './snapshot.ts'
import type { Write } from './write.ts'

/** In flight whatever the throughput is. */
const FLOOR_RECORDS = 512

export interface EngineOptions {
  readonly nowMs: number
  /** Engine time + this = epoch time. */
  readonly wallOffsetMs: number
  /** For the jitter of backoff. */
  readonly seed: number
  /** What `learned()` of an earlier engine gave. */
  readonly learned?: LearnedLimits | undefined
}

export class Engine {
  readonly plan: Plan
  readonly #core: Core
  readonly #flow: Flow
  readonly #intakes: readonly Intake[]
  /** What it takes to fill every batch once. */
  readonly #batchRecords: number
  #pullFirst = 0

  constructor(plan: Plan, ports: Ports, options: EngineOptions) {
    this.plan = plan
    const admission = new Admission(plan.admission, options.nowMs)
    const { nowMs, wallOffsetMs } = options
    this.#core = new Core(ports, admission, options.seed, nowMs, wallOffsetMs, plan.transaction)
    this.#flow = layOut(this.#core, plan, options.learned ?? {})
    this.#batchRecords = batchRecords(plan)
    this.#setFloor()
    let partitions = 0
    const commit: CommitPlan = plan.commit
    this.#intakes = plan.sources.map(
      ({ source }, index) =>
        new Intake(this.#core, source, index, this.#flow.heads[index]!, commit, () => partitions++),
    )
    this.#core.transaction?.of(this.#intakes)
  }

  // ── Inputs ───────────────────────────────────────────────────────────────

  /** The source can be pulled from now on. */
  opened(source: number): void {
    this.#intake(source).open = true
  }

  /** Returns the partitions whose stored done-ahead set was not ours to read. */
  assigned(source: number, assignments: readonly Assignment[]): string[] {
    const foreign = this.#intake(source).assigned(assignments)
    this.#dropFenced()
    return foreign
  }

  /**
   * Partitions are to be given up: what was started is finished and committed, then `released` is commanded.
   * Returns those that are not ours, for which no command will come.
   */
  revoked(source: number, partitions: readonly string[], graceMs: number): string[] {
    const unknown: string[] = []
    for (const name of partitions) {
      const partition = this.#intake(source).partitions.get(name)
      if (partition === undefined) unknown.push(name)
      else partition.revokeByMs = this.#core.nowMs + graceMs
    }
    this.#purge((item) => isRevoking(item) && !isStarted(item))
    return unknown
  }

  /** Partitions are gone: their results are discarded and nothing of them is committed. */
  lost(source: number, partitions: readonly string[]): void {
    const intake = this.#intake(source)
    for (const name of partitions) {
      const partition = intake.partitions.get(name)
      if (partition !== undefined) this.#fence(intake, partition)
    }
  }

  /** What a pull returned, and what the source's client holds back now. */
  pulled(source: number, pulled: Pulled, held: Credit): void {
    this.#intake(source).pulled(pulled, held.records, held.bytes)
    this.#observeHeld()
  }

  /** A pull failed; the runtime sees to the source and says `opened` again. */
  pullFailed(source: number): void {
    const intake = this.#intake(source)
    intake.pullFailed()
    intake.open = false
  }

  /** A call handler settled; `slot.threw` and `slot.result` say how. */
  settled(slot: Slot): void {
    slot.stage.settled(slot)
  }

  /** The handlers of a `call` command kept the thread for `ms`. */
  ran(stage: Caller, ms: number): void {
    stage.ran(ms)
  }

  /** Starting a write kept the thread for `ms`. */
  ranWrite(stage: Writer, write: Write, ms: number): void {
    stage.ran(ms, write.records)
  }

  wrote(stage: Writer, write: Write, result: WriteResult | { readonly threw: unknown }): void {
    stage.wrote(write, this.#core.loopMs, result)
  }

  committed(source: number, thrown: unknown): void {
    const intake = this.#intake(source)
    for (const stale of intake.committed(thrown === null ? null : classify(thrown))) {
      if (stale.revokeByMs === null) this.#fence(intake, stale)
      else this.#release(intake, stale)
    }
  }

  /** `commitTransaction` or `abortTransaction` was carried out, or threw. */
  transactionEnded(thrown: unknown): void {
    const { transaction } = this.#core
    transaction?.ended(thrown === null ? null : classify(thrown))
    if (transaction?.over === true) this.stop()
  }

  observed(heap: { usedBytes: number; limitBytes: number }, wallOffsetMs: number): void {
    this.#core.admission.observeHeap(heap.usedBytes, heap.limitBytes)
    this.#core.wallOffsetMs = wallOffsetMs
    this.#observeHeld()
  }

  /** Time passes; call it before the inputs of that time. */
  advance(nowMs: number): void {
    if (nowMs < this.#core.nowMs) return
    this.#core.nowMs = nowMs
    this.#core.loopMs = nowMs
  }

  pause(paused: boolean): void {
    this.#core.paused = paused
  }

  /** Takes in no more, gives back what was not started, finishes the rest. */
  drain(): void {
    this.#core.draining = true
    this.#purge((item) => !isStarted(item))
  }

  /** Gives up what waits and aborts what is in progress; what still succeeds is written and committed. */
  stop(): void {
    this.#core.draining = true
    this.#core.halted = true
    this.#core.givesUp = true
    for (const call of this.#flow.calls) call.abort('stopped', this.#core.nowMs)
    this.#purge(() => true)
  }

  /** Something outside the flow makes going on impossible. */
  fail(error: HeadgateError): void {
    this.#core.halt(error)
  }

  /** Throws when limits name a stage that is not there, or a figure is none of its range. */
  checkLimits(limits: Limits): void {
    checkLimits(
      limits,
      this.#core.admission.limits,
      this.#flow.calls.map(({ name }) => name),
    )
  }

  setLimits({ admission, stages }: Limits): void {
    const { admission: gate } = this.#core
    if (admission !== undefined) gate.limits = { ...gate.limits, ...admission }
    for (const [name, limits] of Object.entries(stages ?? {})) this.#call(name).change(limits)
  }

  /** See `Flow.loops`. */
  get loops(): Flow['loops'] {
    return this.#flow.loops
  }

  /** The limits as they are now. */
  limits(): PresentLimits {
    const stages = this.#flow.calls.map(({ name, limits }) => [name, limits] as const)
    return { admission: this.#core.admission.limits, stages: Object.fromEntries(stages) }
  }

  // ── The loop ─────────────────────────────────────────────────────────────

  /** Does everything that can be done now: downstream first, so that room travels upstream within one call. */
  resume(): void {
    const core = this.#core
    const { stages } = this.#flow
    core.flushing = this.#intakes.every((intake) => intake.ended)
    for (let moved = true; moved; ) {
      moved = false
      for (let index = stages.length - 1; index >= 0; index -= 1) {
        if (core.failedNow) this.#purgeAfterFailure()
        if (stages[index]!.step(core.loopMs)) moved = true
      }
      if (core.transaction?.step(core.loopMs) === true) moved = true
    }
    if (core.failedNow) this.#purgeAfterFailure()
    this.#setFloor()
    core.admission.sample(core.nowMs)
    this.#revokeFinished()
    const finished = core.counts.inFlight === 0 && (core.flushing || core.draining || core.halted)
    for (const intake of this.#intakes) intake.commit(finished)
    this.#pull()
    if (!this.#intakes.some((intake) => intake.pulling)) core.transaction?.pullsNothing(core.loopMs)
    for (const stage of stages) stage.account(core.nowMs)
  }

  takeCommands(): Command[] {
    const { commands } = this.#core
    if (commands.length > 0) this.#core.commands = []
    return commands
  }

  /** When to resume at the latest if nothing happens, in engine ms; Infinity for never. */
  wakeMs(): number {
    let wake = Number.POSITIVE_INFINITY
    for (const stage of this.#flow.stages) wake = Math.min(wake, stage.wakeMs(this.#core.loopMs))
    for (const intake of this.#intakes) wake = Math.min(wake, intake.wakeMs())
    wake = Math.min(wake, this.#core.transaction?.wakeMs() ?? wake)
    return wake
  }

  /** Nothing is in flight, nothing more will come, and all progress is committed. */
  get finished(): boolean {
    const core = this.#core
    if (core.counts.inFlight > 0 || !(core.flushing || core.draining || core.halted)) return false
    const over = core.transaction?.over === true
    if (core.transaction?.idle === false) return false
    return this.#intakes.every((intake) => !intake.pulling && !intake.committing && (over || !intake.dirty))
  }

  get failure(): HeadgateError | null {
    return this.#core.failure
  }

  get halted(): boolean {
    return this.#core.halted
  }

  get nowMs(): number {
    return this.#core.nowMs
  }

  get inFlight(): number {
    return this.#core.counts.inFlight
  }

  /** Records that a source has delivered, those that its client holds included. */
  delivered(source: number): number {
    const intake = this.#intake(source)
    return intake.delivered + intake.heldRecords
  }

  /** What a drain is waiting for, in words. */
  waitingFor(): string {
    const waits = [...this.#flow.calls, ...this.#flow.sinks]
      .map((stage) => stage.waitingFor())
      .filter((wait) => wait !== null)
    for (const intake of this.#intakes) {
      if (intake.pulling) waits.push(`a pull from '${intake.source.name}'`)
      if (intake.committing || intake.dirty)
        waits.push(`the last commit to '${intake.source.name}'${intake.commitFailing ? ', which keeps failing' : ''}`)
    }
    return waits.length > 0 ? waits.join(', ') : 'nothing'
  }

  /** What the adaptive limiters have found, as plain JSON: the option `learned` of a later engine. */
  learned(): LearnedLimits {
    const learned: Record<string, LearnedPool> = {}
    for (const [name, pool] of this.#core.limiters) {
      const own = pool.learned()
      if (own !== null) learned[name] = own
    }
    return learned
  }

  /** How long records, attempts and writes took since the start. */
  latencies(): Latencies {
    const { latency, stageLatencies } = this.#core
    const stages = [...stageLatencies].map(([name, each]) => [name, each.copy()] as const)
    return { flow: latency.copy(), stages: Object.fromEntries(stages) }
  }

  snapshot(): EngineSnapshot {
    return takeSnapshot(this.#core, this.#flow, this.#intakes)
  }

  // ── Inside ───────────────────────────────────────────────────────────────

  #pull(): void {
    const wanting = this.#intakes.filter((intake) => !intake.ended && !intake.pulling).length
    const { length } = this.#intakes
    for (let turn = 0; turn < length; turn += 1)
      this.#intakes[(this.#pullFirst + turn) % length]!.pull(length > 1 ? wanting : 1)
    this.#pullFirst = (this.#pullFirst + 1) % length
  }

  /** Enough in flight to fill every slot twice and every batch once. */
  #setFloor(): void {
    let records = FLOOR_RECORDS + this.#batchRecords
    for (const { limit } of this.#flow.calls) records += 2 * limit
    const { admission } = this.#core
    admission.floorRecords = Math.min(records, admission.limits.records)
  }

  #revokeFinished(): void {
    for (const intake of this.#intakes) {
      for (const partition of intake.partitions.values()) {
        if (partition.revokeByMs === null) continue
        const clean = partition.inFlight === 0 && !partition.dirty && !intake.committing
        if (!clean && this.#core.nowMs < partition.revokeByMs) continue
        this.#release(intake, partition)
      }
    }
  }

  #release(intake: Intake, partition: Partition): void {
    this.#fence(intake, partition)
    const { name, epoch } = partition
    this.#core.commands.push({ kind: 'released', source: intake.index, partition: name, epoch })
  }

  #fence(intake: Intake, partition: Partition): void {
    partition.fenced = true
    if (intake.partitions.get(partition.name) === partition) intake.partitions.delete(partition.name)
    this.#dropFenced()
  }

  #dropFenced(): void {
    for (const call of this.#flow.calls) call.abort('fenced', this.#core.nowMs)
    this.#purge(isFenced)
  }

  #purgeAfterFailure(): void {
    this.#core.failedNow = false
    this.#purge((item) => !isStarted(item))
  }

  #purge(drop: (item: Item) => boolean): void {
    for (const stage of this.#flow.stages) stage.purge(drop)
  }

  #observeHeld(): void {
    let records = 0
    let bytes = 0
    for (const { heldRecords, heldBytes } of this.#intakes) {
      records += heldRecords
      bytes += heldBytes
    }
    this.#core.admission.observeHeld(records, bytes)
  }

  #call(name: string): CallStage {
    return this.#flow.calls.find((call) => call.name === name)!
  }

  #intake(source: number): Intake {
    return this.#intakes[source]!
  }
}

function batchRecords(plan: Plan): number {
  let records = 0
  const visit = (stages: readonly StagePlan[], end: Plan['flow']['end']): void => {
    for (const stage of stages) if (stage.kind === 'batch') records += stage.records
    if (end.kind === 'route') for (const branch of end.branches.values()) visit(branch.stages, branch.end)
  }
  visit(plan.flow.stages, plan.flow.end)
  return records
}
