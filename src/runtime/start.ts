/**
 * Starts a plan and owns it while it runs: opens sinks and sources, drains within the deadline, and closes everything
 * again. The engine decides, the runner performs; this file is the life of the two from start to end.
 */

import { Doctor, type DoctorOptions, PROBE_MS } from '../diagnose/doctor.ts'
import { verdictOf } from '../diagnose/verdict.ts'
import type { Latencies } from '../engine/histogram.ts'
import type { LearnedLimits } from '../engine/limiter-pool.ts'
import type { Limits, PresentLimits } from '../engine/limits.ts'
import type { Sink, Source, Transactions } from '../model/connector.ts'
import type { Diagnosis, Profile } from '../model/diagnosis.ts'
import { classify, describe, type HeadgateError } from '../model/errors.ts'
import { type Logger, SILENT_LOGGER } from '../model/logger.ts'
import type { FailurePolicy, FlowPlan, Plan } from '../model/plan.ts'
import type { Status } from '../model/status.ts'
import { Meter } from './meter.ts'
import { optionsOf, type PartOptions } from './part-options.ts'
import { profile } from './profile.ts'
import { Runner } from './runner.ts'
import { makeStatus } from './status.ts'
import { transactionsOf } from './transactions.ts'
import { REAL_WORLD, type World } from './world.ts'

/** After a hard stop: how long handlers and writes may take to end before they are left behind. */
const STOP_GRACE_MS = 3000
/** The doctor looks at every second sample of the meter: twice a second. */
const DOCTOR_EVERY = 2
/** How long a CPU profile takes. */
const PROFILE_MS = 2000
/** How long one connector may take to close. */
const CLOSE_MS = 5000

export interface StartOptions {
  /** Where connectors and handlers log to; default: nowhere. */
  readonly log?: Logger
  /** Aborting it drains the pipeline. */
  readonly signal?: AbortSignal
  /** What `learned()` of an earlier run gave: adaptive limits begin there and not at 1. What it cannot use is ignored. */
  readonly learned?: LearnedLimits | undefined
  /** What the doctor should know beside what it sees. */
  readonly doctor?: DoctorOptions | undefined
  /** The clock and the seed; default: the real ones. */
  readonly world?: World
}

/** After so long the doctor is overdue, and whoever asks for its last look looks anew. */
const LOOK_FRESH_MS = 600

/** What the doctor saw at one moment, and what it means. */
export interface Look {
  readonly status: Status
  readonly diagnosis: Diagnosis
}

/** The doctor's last look, and what was made of it once it was asked for. */
interface Seen {
  readonly status: Status
  readonly atMs: number
  look: Look | null
}

/** A pipeline that runs. */
export interface Running {
  /** What it is doing now. It is put together when asked for: a few times a second, not for each record. */
  status(): Status
  /** How it is, what holds it back and why, what would help and what would hurt. */
  diagnose(): Diagnosis
  /**
   * The last look of the doctor, who looks twice a second: status and diagnosis of the same moment. For whoever watches
   * all the time; it is put together once however many ask.
   */
  look(): Look
  /**
   * Takes a CPU profile and says which stages the time went to, and to what code of none; the next diagnosis has it too.
   * Costs about a tenth of the throughput for `durationMs` (default 2,000). Rejects when the profiler is in use already.
   */
  profile(options?: { readonly durationMs?: number }): Promise<Profile>
  /** How long records, attempts and writes took since the start, as counts by duration: for histograms and quantiles of a window. */
  latencies(): Latencies
  /**
   * Stops pulling, finishes what was started, gives the rest back uncommitted. After `withinMs` (default: the
   * pipeline's `drainMs`) what is still open is aborted and given back too.
   */
  drain(options?: { readonly withinMs?: number }): Promise<Status>
  /** Aborts what is in progress and gives it back; what has completed is committed. */
  stop(): Promise<Status>
  /** Withholds all credit; what is in flight goes on. */
  pause(): void
  resume(): void
  /** Changes limits from now on. Throws `HG_OPTION_INVALID` for a stage that is not there or a figure that is none. */
  setLimits(limits: Limits): void
  /** The limits as they are now, also those that were never changed. */
  limits(): PresentLimits
  /** What each part of the pipeline was told, in the order of the flow; credentials are masked. */
  options(): readonly PartOptions[]
  /** What the adaptive limiters have found, as plain JSON, for `start({ learned })` of a later run. */
  learned(): LearnedLimits
  /** What a drain is waiting for, in words. */
  waitingFor(): string
  /** Resolves with the last status when it has ended by itself, was drained or stopped, or failed (`state`). */
  readonly done: Promise<Status>
}

/** Opens everything and begins to pull. Throws what a connector threw while opening; nothing stays open then. */
export async function start(plan: Plan, options: StartOptions = {}): Promise<Running> {
  const life = new Life(plan, options)
  await life.open()
  return life
}

class Life implements Running {
  readonly done: Promise<Status>
  readonly #plan: Plan
  readonly #options: StartOptions
  readonly #world: World
  readonly #log: Logger
  readonly #runner: Runner
  readonly #meter: Meter
  readonly #doctor: Doctor
  #samples = 0
  readonly #sinks: ReadonlySet<Sink<never>>
  readonly #transactions: Transactions | null
  /** The last one that was taken. */
  #profile: Profile | null = null
  /** Null before the first, and once there is a profile that it does not have. */
  #seen: Seen | null = null
  readonly #abort = new AbortController()
  readonly #startedAtMs: number
  readonly #closers: { readonly name: string; close(signal: AbortSignal): Promise<void> }[] = []
  #state: Status['state'] = 'starting'
  #error: HeadgateError | null = null
  #deadline: NodeJS.Timeout | undefined
  #ended!: (status: Status) => void

  constructor(plan: Plan, options: StartOptions) {
    this.#plan = plan
    this.#options = options
    this.#world = options.world ?? REAL_WORLD
    this.#log = options.log ?? SILENT_LOGGER
    this.#startedAtMs = this.#world.wallMs()
    this.#sinks = sinksOf(plan)
    this.#transactions = transactionsOf(plan, this.#sinks, this.#world)
    const { learned } = options
    const parts = { world: this.#world, log: this.#log, learned, transactions: this.#transactions }
    this.#runner = new Runner(plan, parts, (error) => void this.#finished(error))
    this.#doctor = new Doctor(options.doctor)
    this.#meter = new Meter(
      plan.sources.map(({ source }) => source),
      (source) => this.#runner.engine.delivered(source),
      (heap) => this.#sampled(heap),
    )
    this.done = new Promise((resolve) => {
      this.#ended = resolve
    })
  }

  async open(): Promise<void> {
    const { signal } = this.#abort
    try {
      for (const sink of this.#sinks) {
        this.#closers.push(sink)
        await sink.open({ log: this.#log }, signal)
      }
      if (this.#transactions !== null) {
        const transactions = this.#transactions
        this.#closers.unshift({ name: 'transactions', close: (abort) => transactions.close(abort) })
        await transactions.open({ log: this.#log }, signal)
      }
      for (const [index, { source }] of this.#plan.sources.entries()) {
        this.#closers.unshift(source)
        await this.#openSource(source, index)
      }
    } catch (thrown) {
      await this.#close()
      throw classify(thrown)
    }
    this.#state = 'running'
    this.#meter.start()
    const { signal: stopSignal } = this.#options
    if (stopSignal?.aborted) void this.drain()
    else stopSignal?.addEventListener('abort', () => void this.drain(), { once: true, signal })
  }

  async #openSource(source: Source, index: number): Promise<void> {
    const runner = this.#runner
    await source.open(
      {
        onAssigned: (assignments) => runner.assigned(index, assignments),
        onRevoked: (partitions, graceMs) =>
          runner.revoked(index, partitions, Math.min(graceMs, this.#plan.revokeGraceMs)),
        onLost: (partitions) => runner.lost(index, partitions),
        log: this.#log,
      },
      this.#abort.signal,
    )
    runner.opened(index)
  }

  status(): Status {
    const status = this.#look()
    return { ...status, verdict: verdictOf(status, this.#doctor.said()) }
  }

  diagnose(): Diagnosis {
    this.#observe()
    return this.#doctor.diagnosis(this.#profile) as Diagnosis
  }

  look(): Look {
    const last = this.#seen
    const isFresh =
      last !== null && last.status.state === this.#state && this.#world.nowMs() - last.atMs < LOOK_FRESH_MS
    const seen = isFresh ? last : this.#observe()
    if (seen.look === null) {
      const diagnosis = this.#doctor.diagnosis(this.#profile) as Diagnosis
      seen.look = { status: { ...seen.status, verdict: verdictOf(seen.status, diagnosis) }, diagnosis }
    }
    return seen.look
  }

  #observe(): Seen {
    const status = this.#look()
    this.#doctor.observe(status)
    this.#seen = { status, atMs: this.#world.nowMs(), look: null }
    return this.#seen
  }

  async profile({ durationMs = PROFILE_MS }: { readonly durationMs?: number } = {}): Promise<Profile> {
    this.#profile = await profile(this.#plan, this.#runner.engine.loops, durationMs)
    this.#seen = null
    return this.#profile
  }

  #look(): Status {
    return makeStatus({
      pipeline: this.#plan.name,
      state: this.#state,
      error: this.#error ?? this.#runner.engine.failure,
      startedAtMs: this.#startedAtMs,
      nowMs: this.#world.wallMs(),
      snapshot: this.#runner.engine.snapshot(),
      meter: this.#meter,
      turnsMs: this.#runner.turnsMs,
    })
  }

  drain({ withinMs = this.#plan.drainMs }: { readonly withinMs?: number } = {}): Promise<Status> {
    if (this.#state === 'running' || this.#state === 'paused') {
      this.#state = 'draining'
      this.#runner.drain()
      void this.#quiesce()
      this.#stopAfter(withinMs)
    }
    return this.done
  }

  stop(): Promise<Status> {
    if (!this.#isOver()) {
      this.#state = 'draining'
      this.#stopAfter(0)
    }
    return this.done
  }

  pause(): void {
    if (this.#state !== 'running') return
    this.#state = 'paused'
    this.#runner.pause(true)
  }

  resume(): void {
    if (this.#state !== 'paused') return
    this.#state = 'running'
    this.#runner.pause(false)
  }

  setLimits(limits: Limits): void {
    this.#runner.setLimits(limits)
  }

  latencies(): Latencies {
    return this.#runner.engine.latencies()
  }

  limits(): PresentLimits {
    return this.#runner.engine.limits()
  }

  options(): readonly PartOptions[] {
    return optionsOf(this.#plan)
  }

  learned(): LearnedLimits {
    return this.#runner.engine.learned()
  }

  waitingFor(): string {
    return this.#runner.engine.waitingFor()
  }

  #sampled(heap: { usedBytes: number; limitBytes: number }): void {
    this.#runner.observed(heap)
    if (this.#samples++ % DOCTOR_EVERY === 0) this.#consult()
    // A failure has halted the engine: what is under way gets the time of a drain to end.
    if (this.#runner.engine.halted && this.#state === 'running') {
      this.#state = 'draining'
      this.#stopAfter(this.#plan.drainMs)
    }
  }

  #consult(): void {
    this.#observe()
    const probe = this.#doctor.probe()
    if (probe === null) return
    const { stage, concurrency, after } = probe
    this.#runner.setLimits({ stages: { [stage]: { concurrency } } })
    const goBack = (): void => {
      // Somebody who changed it meanwhile knows better.
      const now = this.limits().stages[stage]?.concurrency
      if (now === concurrency) this.#runner.setLimits({ stages: { [stage]: { concurrency: after } } })
    }
    setTimeout(goBack, PROBE_MS).unref()
  }

  async #quiesce(): Promise<void> {
    for (const { source } of this.#plan.sources) {
      try {
        await source.quiesce(this.#abort.signal)
      } catch (thrown) {
        this.#log.warn({ source: source.name }, `could not quiesce: ${describe(thrown)}`)
      }
    }
  }

  /** The deadline: stop hard, and after a last grace leave behind what will not end. */
  #stopAfter(withinMs: number): void {
    clearTimeout(this.#deadline)
    this.#deadline = setTimeout(() => {
      this.#runner.stop()
      this.#deadline = setTimeout(() => {
        this.#runner.abortWrites()
        this.#deadline = setTimeout(() => void this.#finished(null), STOP_GRACE_MS / 2)
      }, STOP_GRACE_MS / 2)
    }, withinMs)
  }

  #isOver(): boolean {
    return this.#state === 'stopped' || this.#state === 'failed'
  }

  async #finished(error: HeadgateError | null): Promise<void> {
    if (this.#isOver()) return
    this.#runner.close()
    clearTimeout(this.#deadline)
    this.#error = error ?? this.#runner.engine.failure
    this.#state = this.#error === null ? 'stopped' : 'failed'
    this.#meter.stop()
    await this.#close()
    this.#ended(this.status())
  }

  async #close(): Promise<void> {
    this.#abort.abort()
    for (const connector of this.#closers) {
      const signal = AbortSignal.timeout(CLOSE_MS)
      try {
        await connector.close(signal)
      } catch (thrown) {
        this.#log.warn({ connector: connector.name }, `did not close cleanly: ${describe(thrown)}`)
      }
    }
  }
}

/** Every sink of a plan once, dead-letter sinks too. */
function sinksOf(plan: Plan): Set<Sink<never>> {
  const sinks = new Set<Sink<never>>()
  const policy = (onFailure: FailurePolicy): void => {
    if (onFailure.kind === 'deadLetter') sinks.add(onFailure.sink)
  }
  const visit = ({ stages, end }: FlowPlan): void => {
    for (const stage of stages) if (stage.kind !== 'batch') policy(stage.onFailure)
    policy(end.onFailure)
    if (end.kind === 'sink') sinks.add(end.sink)
    else for (const branch of end.branches.values()) visit(branch)
  }
  for (const { onFailure } of plan.sources) policy(onFailure)
  visit(plan.flow)
  return sinks
}
