/**
 * Performs the engine's commands against the real world and brings back what came of them. Everything that happens
 * is queued and fed to the engine in one go: one clock reading, one loop, then its commands. `start.ts` owns a runner.
 * Invariant: the engine is entered from `#pump` alone, never from within a handler.
 */
import type { Command, Progress, Writer } from '../engine/commands.ts'
import { Engine } from '../engine/engine.ts'
import type { LearnedLimits } from '../engine/limiter-pool.ts'
import type { Limits } from '../engine/limits.ts'
import type { Caller, Slot } from '../engine/slots.ts'
import type { Write } from '../engine/write.ts'
import type { Assignment, Credit, Pulled, SinkBatch, SourceProgress, Transactions } from '../model/connector.ts'
import { classify, describe, HeadgateError } from '../model/errors.ts'
import type { Logger } from '../model/logger.ts'
import type { Plan } from '../model/plan.ts'
import { MAX_TIMER_MS } from '../model/units.ts'
import { abortHandler, type CallHost, startHandler } from './calls.ts'
import { Signals } from './signals.ts'
import type { World } from './world.ts'

/** How long a pull may wait for a first record. Records that arrive end it at once. */
const PULL_WAIT_MS = 1000
/** The event loop gets a turn at least this often, however fast handlers settle. */
const ROUND_MS = 1
const REOPEN_BASE_MS = 100
const REOPEN_MAX_MS = 5000

/** A microtask that Node.js does not wrap in a resource of its own, as it does with those of `queueMicrotask`. */
const MICROTASK = Promise.resolve()

export interface RunnerOptions {
  readonly world: World
  readonly log: Logger
  /** What an earlier run's limiters had found. */
  readonly learned: LearnedLimits | undefined
  /** Null where records are delivered at least once. */
  readonly transactions: Transactions | null
}

export class Runner implements CallHost {
  readonly pipeline: string
  readonly sourceNames: readonly string[]
  readonly log: Logger
  readonly engine: Engine
  readonly #plan: Plan
  readonly #world: World
  readonly #transactions: Transactions | null
  readonly #onFinished: (error: HeadgateError | null) => void
  #inputs: (() => void)[] = []
  /** The first `#settled` of these have settled since the last turn; the array is kept, so that it is not grown each turn. */
  readonly #settledSlots: Slot[] = []
  #settled = 0
  #scheduled = false
  /** When the event loop last had its turn. */
  #roundMs = 0
  /** When the last turn began. */
  #turnMs = 0
  /** What settled in the last turn had been started in the one before: such handlers do not need the event loop. */
  #settlesAtOnce = false
  /** Spent in turns so far. */
  turnsMs = 0
  #wallOffsetMs: number
  #timer: NodeJS.Timeout | undefined
  #timerMs = Number.POSITIVE_INFINITY
  /** By source. */
  readonly #pullSignals: readonly Signals[]
  readonly #writeSignals = new Signals()
  readonly #reopenings: number[]
  readonly #releases = new Map<string, () => void>()
  #ended = false

  /** `onFinished` is called once: when nothing is left to do, or when going on is impossible. */
  constructor(plan: Plan, options: RunnerOptions, onFinished: (error: HeadgateError | null) => void) {
    const { world, log, learned } = options
    this.#plan = plan
    this.#transactions = options.transactions
    this.#world = world
    this.#onFinished = onFinished
    this.pipeline = plan.name
    this.sourceNames = plan.sources.map(({ source }) => source.name)
    this.log = log
    this.#reopenings = plan.sources.map(() => 0)
    this.#pullSignals = plan.sources.map(() => new Signals())
    this.#wallOffsetMs = world.wallMs() - world.nowMs()
    const ports = {
      run: (work: () => void): number => {
        work()
        return world.nowMs()
      },
      ignore: (promise: unknown): void => {
        Promise.resolve(promise).catch(() => {})
      },
    }
    this.engine = new Engine(plan, ports, {
      nowMs: world.nowMs(),
      wallOffsetMs: this.#wallOffsetMs,
      seed: world.seed(),
      learned,
    })
  }

  wallOffsetMs(): number {
    return this.#wallOffsetMs
  }

  // ── What happens, from the world ─────────────────────────────────────────

  /** Queues an input; the engine hears of it in the next turn. */
  input(apply: () => void, atOnce = false): void {
    this.#inputs.push(apply)
    this.#schedule(atOnce)
  }

  /** The pull or write of the turn at `turnMs` is answered; with no turn since then it did not need the event loop. */
  #answered(turnMs: number, apply: () => void): void {
    this.input(apply, turnMs === this.#turnMs)
  }

  settled(slot: Slot): void {
    this.#settledSlots[this.#settled] = slot
    this.#settled += 1
    this.#schedule(this.#settlesAtOnce)
  }

  pooling(slot: Slot, waiting: boolean): void {
    this.input(() => {
      if (slot.item !== null) slot.stage.pooling(slot, waiting)
    })
  }

  opened(source: number): void {
    this.input(() => this.engine.opened(source))
  }

  assigned(source: number, assignments: readonly Assignment[]): void {
    this.input(() => {
      for (const partition of this.engine.assigned(source, assignments)) {
        this.log.warn(
          { source: this.sourceNames[source], partition },
          'the progress stored with the last commit was written by something else or by a newer version; it is ignored, ' +
            'and records that were completed ahead of the committed offset are done again',
        )
      }
    })
  }

  revoked(source: number, partitions: readonly string[], graceMs: number): Promise<void> {
    const released = partitions.map(
      (partition) => new Promise<void>((resolve) => this.#releases.set(`${source} ${partition}`, resolve)),
    )
    this.input(() => {
      const unknown = this.engine.revoked(source, partitions, graceMs)
      for (const partition of unknown) this.#release(source, partition)
    })
    return Promise.all(released).then(() => undefined)
  }

  lost(source: number, partitions: readonly string[]): void {
    this.input(() => {
      this.engine.lost(source, partitions)
      for (const partition of partitions) this.#release(source, partition)
    })
  }

  observed(heap: { usedBytes: number; limitBytes: number }): void {
    this.#wallOffsetMs = this.#world.wallMs() - this.#world.nowMs()
    this.input(() => this.engine.observed(heap, this.#wallOffsetMs))
  }

  // ── What the owner asks for ──────────────────────────────────────────────

  drain(): void {
    this.input(() => this.engine.drain())
    this.#abortPulls()
  }

  pause(paused: boolean): void {
    this.input(() => this.engine.pause(paused))
    if (paused) this.#abortPulls()
  }

  /** Gives up what waits and aborts the calls; writes may still tell how they came out. */
  stop(): void {
    this.input(() => this.engine.stop())
    this.#abortPulls()
  }

  abortWrites(): void {
    this.#writeSignals.abort(new HeadgateError('HG_TIMEOUT', 'the pipeline is stopping'))
  }

  /** Takes effect in the next turn; throws at once when a stage is unknown. */
  setLimits(limits: Limits): void {
    this.engine.checkLimits(limits)
    this.input(() => this.engine.setLimits(limits))
  }

  /** Nothing is performed any more. */
  close(): void {
    this.#ended = true
    clearTimeout(this.#timer)
  }

  // ── The turn ─────────────────────────────────────────────────────────────

  /**
   * The next turn is taken at the end of this round of the event loop, with all that the round brings: timers and
   * sockets answer one by one, and a turn for each costs more than the calls. Only what is answered `atOnce`, without the
   * event loop, does not wait for it.
   */
  #schedule(atOnce: boolean): void {
    if (this.#scheduled || this.#ended) return
    this.#scheduled = true
    if (atOnce && this.#world.nowMs() - this.#roundMs < ROUND_MS) void MICROTASK.then(this.#pump)
    else setImmediate(this.#pumpInNewRound)
  }

  readonly #pumpInNewRound = (): void => {
    this.#roundMs = this.#world.nowMs()
    this.#pump()
  }

  readonly #pump = (): void => {
    this.#scheduled = false
    if (this.#ended) return
    const startedMs = this.#world.nowMs()
    try {
      this.engine.advance(startedMs)
      this.#feed()
      this.#turnMs = startedMs
      this.engine.resume()
      for (const command of this.engine.takeCommands()) this.#perform(command)
      if (this.engine.finished && this.#inputs.length === 0) this.#finish(null)
      else this.#setTimer()
    } catch (thrown) {
      this.#finish(classify(thrown))
    }
    this.turnsMs += this.#world.nowMs() - startedMs
  }

  #feed(): void {
    this.#settlesAtOnce = this.#settled > 0 && (this.#settledSlots[0] as Slot).startedMs >= this.#turnMs
    for (let index = 0; index < this.#settled; index += 1) this.engine.settled(this.#settledSlots[index] as Slot)
    this.#settled = 0
    if (this.#inputs.length > 0) {
      const inputs = this.#inputs
      this.#inputs = []
      for (const apply of inputs) apply()
    }
  }

  #finish(error: HeadgateError | null): void {
    if (this.#ended) return
    this.close()
    this.#onFinished(error ?? this.engine.failure)
  }

  #setTimer(): void {
    const wakeMs = this.engine.wakeMs()
    if (wakeMs <= this.engine.nowMs) {
      this.#schedule(this.#settlesAtOnce)
      return
    }
    // A timer that fires early does no harm; one that fires late does.
    if (wakeMs >= this.#timerMs) return
    clearTimeout(this.#timer)
    const delayMs = Math.min(MAX_TIMER_MS, Math.max(0, Math.ceil(wakeMs - this.#world.nowMs())))
    this.#timerMs = wakeMs
    this.#timer = setTimeout(() => {
      this.#timerMs = Number.POSITIVE_INFINITY
      this.#roundMs = this.#world.nowMs()
      if (!this.#scheduled) {
        this.#scheduled = true
        this.#pump()
      }
    }, delayMs)
  }

  // ── Commands ─────────────────────────────────────────────────────────────

  #perform(command: Command): void {
    if (command.kind === 'call') this.#call(command.stage, command.slots)
    else if (command.kind === 'write') void this.#write(command.stage, command.write)
    else if (command.kind === 'pull') void this.#pull(command.source, command.credit, command.paused)
    else if (command.kind === 'endPull') this.#pullSignals[command.source]!.abort()
    else if (command.kind === 'commit') void this.#commit(command.source, command.positions)
    else if (command.kind === 'commitTransaction') void this.#endTransaction(command.progress)
    else if (command.kind === 'abortTransaction') void this.#endTransaction(null)
    else if (command.kind === 'abort') abortHandler(command.slot, command.reason)
    else this.#release(command.source, command.partition)
  }

  #call(stage: Caller, slots: readonly Slot[]): void {
    const startedMs = this.#world.nowMs()
    for (let at = 0; at < slots.length; at += 1) startHandler(this, slots[at] as Slot)
    this.engine.ran(stage, this.#world.nowMs() - startedMs)
  }

  async #write(stage: Writer, write: Write): Promise<void> {
    const shared = this.#writeSignals.take()
    const turnMs = this.#turnMs
    const startedMs = this.#world.nowMs()
    try {
      const written = stage.plan.sink.write(write as SinkBatch<unknown> as SinkBatch<never>, shared.controller.signal)
      this.engine.ranWrite(stage, write, this.#world.nowMs() - startedMs)
      const result = await written
      this.#answered(turnMs, () => this.engine.wrote(stage, write, result))
    } catch (thrown) {
      this.log.warn({ sink: stage.name, records: write.records }, `a write failed: ${describe(thrown)}`)
      this.input(() => this.engine.wrote(stage, write, { threw: thrown }))
    } finally {
      this.#writeSignals.release(shared)
    }
  }

  async #pull(index: number, credit: Credit, paused: ReadonlySet<string>): Promise<void> {
    const { source } = this.#plan.sources[index]!
    const signals = this.#pullSignals[index]!
    const shared = signals.take()
    const { signal } = shared.controller
    const turnMs = this.#turnMs
    try {
      const pulled: Pulled = await source.pull({ credit, paused, waitMs: PULL_WAIT_MS, signal })
      this.#reopenings[index] = 0
      this.#answered(turnMs, () => this.engine.pulled(index, pulled, source.held()))
    } catch (thrown) {
      this.#pullFailed(index, classify(thrown))
    } finally {
      signals.release(shared)
    }
  }

  /** A connection that was lost comes back; the source sees to that, and is asked again after a pause. */
  #pullFailed(index: number, error: HeadgateError): void {
    const { source } = this.#plan.sources[index]!
    this.input(() => this.engine.pullFailed(index))
    if (!error.retryable && error.code !== 'HG_FENCED') {
      this.input(() =>
        this.engine.fail(new HeadgateError(error.code, `source '${source.name}': ${error.message}`, { cause: error })),
      )
      return
    }
    const attempt = this.#reopenings[index]!
    this.#reopenings[index] = attempt + 1
    const delayMs = Math.min(REOPEN_MAX_MS, REOPEN_BASE_MS * 2 ** Math.min(attempt, 10))
    this.log.warn({ source: source.name, retryInMs: delayMs }, `a pull failed: ${error.message}`)
    setTimeout(() => this.opened(index), delayMs)
  }

  async #commit(index: number, positions: Extract<Command, { kind: 'commit' }>['positions']): Promise<void> {
    const { source } = this.#plan.sources[index]!
    try {
      await source.commit(positions)
      this.input(() => this.engine.committed(index, null))
    } catch (thrown) {
      this.log.warn({ source: source.name }, `a commit failed: ${describe(thrown)}`)
      this.input(() => this.engine.committed(index, thrown))
    }
  }

  /** `progress`: what is committed with it; null aborts it. */
  async #endTransaction(progress: readonly Progress[] | null): Promise<void> {
    const transactions = this.#transactions as Transactions
    const shared = this.#writeSignals.take()
    const { signal } = shared.controller
    try {
      if (progress === null) await transactions.abort(signal)
      else
        await transactions.commit(
          progress.map((each) => this.#ofSource(each)),
          signal,
        )
      for (const { source, positions } of progress ?? [])
        this.#plan.sources[source]!.source.transactional?.committed(positions)
      this.input(() => this.engine.transactionEnded(null))
    } catch (thrown) {
      const what = progress === null ? 'be aborted yet' : 'be committed and is made again'
      this.log.warn({ transaction: true }, `a transaction could not ${what}: ${describe(thrown)}`)
      this.input(() => this.engine.transactionEnded(thrown))
    } finally {
      this.#writeSignals.release(shared)
    }
  }

  #ofSource({ source, positions }: Progress): SourceProgress {
    return { source: this.#plan.sources[source]!.source, positions }
  }

  #release(source: number, partition: string): void {
    const key = `${source} ${partition}`
    this.#releases.get(key)?.()
    this.#releases.delete(key)
  }

  #abortPulls(): void {
    for (const signals of this.#pullSignals) signals.abort()
  }
}
