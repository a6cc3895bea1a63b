/**
 * A simulated world around the engine: a queue of events in virtual time performs its commands against modelled
 * brokers, handlers and sinks, injects faults from a seed, and lets the oracle check every step. The same seed gives
 * the same run to the last command. After `faultsUntilMs` the world heals, and everything has to finish.
 */
import type { Command, Progress, Writer } from '../../src/engine/commands.ts'
import { Engine } from '../../src/engine/engine.ts'
import type { Caller, Slot } from '../../src/engine/slots.ts'
import type { Write } from '../../src/engine/write.ts'
import type { Credit, DeadLetter, Position, WriteOutcome, WriteResult } from '../../src/model/connector.ts'
import { HeadgateError, overloaded, reject } from '../../src/model/errors.ts'
import { type CallPlan, mostCalls, type Plan } from '../../src/model/plan.ts'
import type { RecordCounts } from '../../src/model/status.ts'
import { MAX_TIMER_MS } from '../../src/model/units.ts'
import type { Broker, BrokerPartition } from './broker.ts'
import { Draw, hash } from './draw.ts'
import { type Delivery, Fates, type Token, tokensOf, type Value, type Ways } from './fates.ts'
import { FAULT_EVENTS, type FaultChance, type FaultEvent, type Faults, noFaults } from './faults.ts'
import { callsOf, Oracle, Violation } from './oracle.ts'
import type { Behaviour } from './topology.ts'
import { TransactionModel } from './transaction-model.ts'

const WALL_OFFSET_MS = 1_700_000_000_000
const HEAL_WITHIN_MS = 3_600_000
const MAX_IDLE_TURNS = 2000

export interface Scenario {
  readonly seed: number
  readonly plan: Plan
  readonly brokers: readonly Broker[]
  readonly behaviour: Behaviour
  readonly ways: Ways
  readonly faults: Faults
  readonly faultsUntilMs: number
  readonly handlerMs: number
  readonly sinkMs: number
  /** Records larger than `maxRecordBytes` are about: they may exceed the byte bound. */
  readonly oversized?: boolean
  /** Breaks the way the world drives the engine, for tests of the oracle. */
  readonly mutant?: (engine: Engine) => void
  readonly onCommand?: (command: Command, nowMs: number) => void
}

interface Event {
  readonly atMs: number
  readonly tie: number
  /** The engine that it is meant for; 0 for the world itself. */
  readonly incarnation: number
  readonly run: () => void
}

interface Run {
  readonly stage: Caller
  readonly value: Value
  readonly attempt: number
  /** Settles as soon as its signal is aborted. */
  readonly heedsAbort: boolean
}

export interface Outcome {
  readonly steps: number
  readonly restarts: number
  /** A fingerprint of all commands. */
  readonly trace: number
  readonly virtualMs: number
}

export class World {
  readonly scenario: Scenario
  readonly oracle: Oracle
  readonly fates: Fates
  /** Null where records are delivered at least once. */
  readonly transactions: TransactionModel | null
  engine!: Engine
  nowMs = 1000
  faults: Faults
  steps = 0
  restarts = 0
  trace = 0
  /** How often each fault was met, and each way to end. */
  readonly hits = new Map<string, number>()
  readonly #draws: Record<'faults' | 'latency' | 'schedule', Draw>
  readonly #partitions = new Map<string, BrokerPartition>()
  readonly #downUntilMs = { callsDown: 0, sinkDown: 0, letterDown: 0 }
  readonly #pulls = new Map<number, { readonly event: () => void; readonly generation: number }>()
  #events: Event[] = []
  readonly #revoking = new Set<string>()
  readonly #aborted = new Map<Slot, Run>()
  #lastCounts: Partial<RecordCounts> = {}
  #incarnation = 0
  #draining: 'no' | 'draining' | 'stopped' = 'no'
  #idleTurns = 0
  /** When the present loop began: the engine decides at this time, handlers start a little later. */
  #loopMs = 0
  #pullGeneration = 0

  constructor(scenario: Scenario) {
    this.scenario = scenario
    this.faults = scenario.faults
    const { seed, plan, brokers, ways } = scenario
    this.#draws = {
      faults: new Draw(seed, 'faults'),
      latency: new Draw(seed, 'latency'),
      schedule: new Draw(seed, 'schedule'),
    }
    for (const broker of brokers)
      for (const partition of broker.partitions) this.#partitions.set(partition.name, partition)
    this.fates = new Fates(plan, ways)
    this.transactions = plan.transaction === undefined ? null : new TransactionModel(brokers)
    this.oracle = new Oracle(plan, this.fates, this.#partitions, scenario.oversized ?? false)
    scenario.behaviour.fates = this.fates
    scenario.behaviour.touched = (stage, tokens) => this.oracle.touched(stage, tokens)
    this.#start()
    for (const name of FAULT_EVENTS) this.#scheduleFault(name)
  }

  /** Runs until every record is done and committed; throws a `Violation` when something does not hold. */
  run(maxSteps = Number.POSITIVE_INFINITY): Outcome {
    while (!this.isOver() && this.steps < maxSteps) this.step()
    return this.outcome()
  }

  outcome(): Outcome {
    return { steps: this.steps, restarts: this.restarts, trace: this.trace, virtualMs: this.nowMs }
  }

  /** Everything is done and committed, faults or not. */
  isOver(): boolean {
    for (const partition of this.#partitions.values()) if (partition.nextOffset < partition.end) return false
    return true
  }

  /** Offsets that the brokers know to be done. It rises with every commit that brings something. */
  get progress(): number {
    let sum = 0
    for (const { nextOffset, ahead } of this.#partitions.values()) {
      sum += nextOffset
      for (let at = 0; at < ahead.length; at += 2) sum += (ahead[at + 1] as number) - (ahead[at] as number)
    }
    return sum
  }

  // ── Steps ────────────────────────────────────────────────────────────────

  step(): void {
    const { engine } = this
    const wakeMs = engine.wakeMs()
    if (Number.isNaN(wakeMs)) throw new Violation('promise 16: the engine wants to wake at no time')
    const delayMs = Math.max(0, Math.ceil(wakeMs - this.nowMs))
    if (Number.isFinite(delayMs) && delayMs > MAX_TIMER_MS) throw new Violation(`promise 16: a timer of ${delayMs} ms`)
    const due = this.#events[0]
    const nextMs = Math.min(this.nowMs + delayMs, due === undefined ? Number.POSITIVE_INFINITY : due.atMs)
    if (nextMs === Number.POSITIVE_INFINITY) throw new Violation(`promise 17: deadlock. ${this.describe()}`)
    this.#advanceTo(Math.max(this.nowMs, nextMs))
    if (this.#meets('stall')) this.#advanceTo(this.nowMs + this.#draws.schedule.int(1, 8000))
    this.#loopMs = this.nowMs
    engine.advance(this.nowMs)
    const before = this.#incarnation
    this.#feed()
    if (this.#incarnation !== before) return
    engine.resume()
    this.#retire()
    this.#perform(engine.takeCommands())
    this.steps += 1
    const snapshot = engine.snapshot()
    this.oracle.check(snapshot)
    this.#lastCounts = snapshot.records
    this.#endOfStep()
  }

  #advanceTo(nowMs: number): void {
    this.#idleTurns = nowMs > this.nowMs ? 0 : this.#idleTurns + 1
    if (this.#idleTurns > MAX_IDLE_TURNS) throw new Violation(`promise 17: it spins. ${this.describe()}`)
    this.nowMs = nowMs
    if (nowMs >= this.scenario.faultsUntilMs && this.faults !== NONE) this.#heal()
    if (nowMs > this.scenario.faultsUntilMs + HEAL_WITHIN_MS)
      throw new Violation(`promise 17: not finished an hour after the faults ended. ${this.describe()}`)
  }

  /** Feeds what is due: sometimes one input a loop, sometimes all of them. */
  #feed(): void {
    const together = this.#draws.schedule.chance(0.5)
    for (let event = this.#events[0]; event !== undefined && event.atMs <= this.nowMs; event = this.#events[0]) {
      this.#pop()
      if (event.incarnation !== 0 && event.incarnation !== this.#incarnation) continue
      const before = this.#incarnation
      event.run()
      if (!together || this.#incarnation !== before) return
    }
  }

  #endOfStep(): void {
    const { engine } = this
    if (engine.halted && this.#draining === 'no') {
      if (engine.failure !== null) this.#cure(engine.failure)
      this.#draining = 'draining'
      this.#stopLater()
    }
    if (engine.finished) this.#restart()
  }

  /** What a failure names is repaired, or the next run would stop at the same record. */
  #cure(failure: HeadgateError): void {
    if (failure.code === 'HG_INVARIANT') throw new Violation(`the engine broke its own invariant: ${failure.message}`)
    const stage = /^stage '([^']+)' failed/.exec(failure.message)?.[1]
    if (stage === undefined) throw new Violation(`the pipeline failed: ${failure.message}`)
    for (const { records } of this.#partitions.values())
      for (const record of records) {
        const { maxRecordBytes } = this.scenario.plan.admission
        if (record.deliveries.some((delivery) => delivery.isFinalAt(stage))) record.cured = true
        else if (stage.startsWith('decode') && record.deliveries.length > 0 && record.bytes > maxRecordBytes)
          record.bytes = maxRecordBytes
      }
  }

  at(delayMs: number, run: () => void, incarnation = this.#incarnation): void {
    const event = { atMs: this.nowMs + delayMs, tie: this.#draws.schedule.unit(), incarnation, run }
    const events = this.#events
    let at = events.push(event) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(event, events[parent] as Event)) break
      events[at] = events[parent] as Event
      at = parent
    }
    events[at] = event
  }

  #pop(): void {
    const events = this.#events
    const last = events.pop() as Event
    if (events.length === 0) return
    let at = 0
    for (;;) {
      let child = at * 2 + 1
      if (child >= events.length) break
      if (child + 1 < events.length && isBefore(events[child + 1] as Event, events[child] as Event)) child += 1
      if (!isBefore(events[child] as Event, last)) break
      events[at] = events[child] as Event
      at = child
    }
    events[at] = last
  }

  // ── Life and death ───────────────────────────────────────────────────────

  #start(): void {
    const { plan, seed, brokers, mutant } = this.scenario
    this.#incarnation += 1
    this.#draining = 'no'
    this.oracle.restarted()
    const { schedule } = this.#draws
    const ports = {
      run: (work: () => void): number => {
        work()
        // Handlers of synchronous stages take time, and the clock of the world moves with them.
        if (schedule.chance(0.05)) this.nowMs += schedule.unit()
        return this.nowMs
      },
      ignore: (): void => {},
    }
    this.engine = new Engine(plan, ports, { nowMs: this.nowMs, wallOffsetMs: WALL_OFFSET_MS, seed })
    mutant?.(this.engine)
    for (const broker of brokers) {
      for (const partition of broker.partitions) this.#assign(broker, partition, this.#latency(50))
      this.at(this.#latency(20), () => this.engine.opened(broker.index))
    }
  }

  /** Everything in memory is gone; what the broker has committed remains. */
  crash(): void {
    this.#restart()
  }

  #restart(): void {
    this.restarts += 1
    this.transactions?.abort()
    for (const [name, count] of Object.entries(this.#lastCounts)) if (count > 0) this.#hit(name)
    for (const partition of this.#partitions.values()) partition.giveUp()
    this.#pulls.clear()
    this.#aborted.clear()
    this.#revoking.clear()
    this.#start()
  }

  drain(): void {
    if (this.#draining !== 'no') return
    this.#draining = 'draining'
    this.engine.drain()
    this.#abortPulls()
    this.#stopLater()
  }

  stop(): void {
    if (this.#draining === 'stopped') return
    this.#draining = 'stopped'
    this.engine.stop()
    this.#abortPulls()
    // Writes and commits that never end are left behind; in a world that was healthy all the while nothing may be.
    const healthy = this.faults === NONE
    this.at(10_000, () => {
      if (healthy) throw new Violation(`promise 14: a hard stop does not end. ${this.describe()}`)
      this.#restart()
    })
  }

  #stopLater(): void {
    this.at(this.scenario.plan.drainMs, () => this.stop())
  }

  #heal(): void {
    this.faults = NONE
    Object.assign(this.#downUntilMs, { callsDown: 0, sinkDown: 0, letterDown: 0 })
    this.at(0, () => {
      this.engine.pause(false)
      this.engine.observed({ usedBytes: 0, limitBytes: 100 }, WALL_OFFSET_MS)
    })
  }

  // ── Commands ─────────────────────────────────────────────────────────────

  #perform(commands: readonly Command[]): void {
    for (const command of commands) {
      this.trace = hash(describeCommand(command), this.trace ^ Math.round(this.nowMs * 1000))
      this.scenario.onCommand?.(command, this.nowMs)
      if (command.kind === 'call') for (const slot of command.slots) this.#call(command.stage, slot)
      else if (command.kind === 'abort') this.#abort(command.slot)
      else if (command.kind === 'write') this.#write(command.stage, command.write)
      else if (command.kind === 'pull') this.#pull(command.source, command.credit, command.paused)
      else if (command.kind === 'endPull') this.#endPull(command.source)
      else if (command.kind === 'commit') this.#commit(command.source, command.positions)
      else if (command.kind === 'commitTransaction') this.#endTransaction(command.progress)
      else if (command.kind === 'abortTransaction') this.#endTransaction(null)
      else this.#released(command.source, command.partition)
    }
  }

  #pull(source: number, credit: Credit, paused: ReadonlySet<string>): void {
    this.oracle.pullCommanded(source, credit)
    const broker = this.scenario.brokers[source] as Broker
    this.#pullGeneration += 1
    const generation = this.#pullGeneration
    const end = (): void => {
      if (this.#pulls.get(source)?.generation !== generation) return
      this.#pulls.delete(source)
      if (this.#meets('pullFails')) {
        this.oracle.pullEnded(source)
        this.engine.pullFailed(source)
        this.at(this.#latency(500), () => this.engine.opened(source))
        return
      }
      const batches = broker.take(credit, paused, this.nowMs, WALL_OFFSET_MS)
      const ended = broker.finite && broker.exhausted
      // What was taken may still be on its way while the partition is taken away.
      this.at(this.#draws.latency.chance(0.3) ? this.#latency(5) : 0, () => {
        this.oracle.pullEnded(source)
        if (this.#draining === 'no' && !this.engine.halted)
          for (const { partition, epoch, records } of batches)
            if (this.#takesIn(partition, epoch))
              for (const { value } of records) if (!(value as Delivery).doneBefore) this.oracle.admitted += 1
        this.engine.pulled(source, { batches, ended }, { records: 0, bytes: 0 })
      })
    }
    this.#pulls.set(source, { event: end, generation })
    // It comes back when something arrives, or empty after a while.
    const waitMs = Math.max(0, Math.min(1000, broker.nextArrivalMs(paused) - this.nowMs))
    this.at(waitMs + this.#latency(5), end)
  }

  #endPull(source: number): void {
    const pull = this.#pulls.get(source)
    if (pull !== undefined) this.at(this.#latency(5), pull.event)
  }

  #takesIn(partition: string, epoch: number): boolean {
    return this.oracle.ownedEpoch(partition) === epoch && !this.#revoking.has(partition)
  }

  #abortPulls(): void {
    for (const { event } of this.#pulls.values()) this.at(0, event)
  }

  #call(stage: Caller, slot: Slot): void {
    const { latency } = this.#draws
    const item = slot.item as NonNullable<Slot['item']>
    const value = item.value as Value
    const run: Run = { stage, value, attempt: item.attempt, heedsAbort: !this.#meets('handlerLate') }
    slot.attachment = run
    this.oracle.callStarted(stage.plan.name, value, this.#loopMs, item.attempt)
    const durationMs = this.#latency(this.#handlerMs(stage.timeoutMs)) * (latency.chance(0.02) ? 10 : 1)
    if (this.#meets('handlerHangs')) return
    const [threw, result] = this.#handle(stage.plan, value)
    this.at(durationMs, () => this.#settle(run, slot, threw, result))
  }

  #handle(plan: CallPlan, value: Value): [threw: boolean, result: unknown] {
    const { faults } = this.#draws
    if (this.nowMs < this.#downUntilMs.callsDown || this.#meets('handlerLosesConnection'))
      return [true, Object.assign(new Error('connection refused'), { code: 'ECONNREFUSED' })]
    if (this.#meets('handlerOverloaded'))
      return [true, overloaded('slow down', faults.chance(0.5) ? { retryAfterMs: faults.int(0, 3000) } : {})]
    if (tokensOf(value).some((token) => this.fates.isPoison(plan.name, token))) return [true, reject('poison')]
    if (this.#meets('handlerThrows')) return [true, new Error('did not work')]
    return [false, this.#meets('handlerUndefined') ? undefined : value]
  }

  #settle(run: Run, slot: Slot, threw: boolean, result: unknown): void {
    if (slot.attachment !== run || slot.retired) return
    slot.attachment = null
    const { stage, value } = run
    const aborted = slot.abortedMs === null ? null : slot.abortReason
    slot.threw = threw
    slot.result = result
    const ok = !threw && result !== undefined
    this.oracle.callEnded(stage.plan.name, value, ok)
    // What fails because we gave it up says nothing about the record.
    if (!ok && (aborted === null || aborted === 'timeout'))
      this.#noteFailure(stage.plan, value, aborted === 'timeout' ? 'charged' : howItFailed(threw, result))
    this.engine.settled(slot)
  }

  #noteFailure({ name, retry }: CallPlan, value: Value, how: 'charged' | 'final' | 'free'): void {
    if (how === 'free') return
    for (const { delivery, path } of tokensOf(value)) delivery.failed(name, path, how, retry.attempts)
  }

  #abort(slot: Slot): void {
    const run = slot.attachment as Run | null
    if (run === null) return // it settled in the same turn
    if (run.heedsAbort) this.at(this.#latency(2), () => this.#settle(run, slot, true, TOO_LATE))
    this.#aborted.set(slot, run)
  }

  /** The engine has given up on handlers that did not settle after their abort: their slots are free again. */
  #retire(): void {
    for (const [slot, run] of this.#aborted) {
      if (slot.attachment === run && !slot.retired) continue
      this.#aborted.delete(slot)
      if (slot.attachment !== run) continue
      this.oracle.callEnded(run.stage.plan.name, run.value, false)
      if (slot.abortReason === 'timeout') this.#noteFailure(run.stage.plan, run.value, 'charged')
    }
  }

  #write(stage: Writer, write: Write): void {
    this.oracle.writeStarted(stage.plan, write.values.length)
    this.transactions?.began(write)
    const durationMs = this.#latency(this.scenario.sinkMs)
    // What a write stores it may store although the process is gone by then.
    const survives = this.#draws.faults.chance(0.5)
    const incarnation = this.#incarnation
    this.at(
      durationMs,
      () => {
        // Whoever comes next has fenced it by then.
        if (incarnation !== this.#incarnation && (!survives || this.transactions !== null)) return
        const result = this.#store(stage, write)
        if (incarnation === this.#incarnation)
          this.at(this.#latency(2), () => {
            this.oracle.writeEnded(stage.plan)
            this.#noteRejections(stage, write, result)
            this.engine.wrote(stage, write, result)
          })
      },
      0,
    )
  }

  #store(stage: Writer, write: Write): WriteResult | { readonly threw: unknown } {
    const { faults } = this.#draws
    const isLetters = stage.plan.name.startsWith('dead-letter:')
    const down = this.#downUntilMs[isLetters ? 'letterDown' : 'sinkDown'] > this.nowMs
    if (down) return { threw: Object.assign(new Error('down'), { code: 'ECONNREFUSED' }) }
    if (this.#meets(isLetters ? 'letterFails' : 'sinkThrows')) return { threw: new Error('the write failed') }
    const { atomic } = stage.plan.sink.capabilities
    const outcomes = write.values.map((value): WriteOutcome => {
      if (!isLetters && this.#isRejected(stage.plan.name, value as Value))
        return { kind: 'rejected', error: new Error('not acceptable') }
      if (!atomic && this.#meets(isLetters ? 'letterFails' : 'sinkPartial'))
        return { kind: 'failed', error: new Error('not this time') }
      return { kind: 'written' }
    })
    const rejected = outcomes.some(({ kind }) => kind === 'rejected')
    for (const [at, value] of write.values.entries()) {
      // All or none: with one rejected record nothing is stored, and the others are to be written again.
      if (atomic && rejected && outcomes[at]?.kind === 'written')
        outcomes[at] = { kind: 'failed', error: new Error('rolled back') }
      if (outcomes[at]?.kind === 'written') this.#keep(stage, write, value)
    }
    if (this.#meets('sinkLosesReply')) return { threw: new Error('the reply was lost') }
    return outcomes.every(({ kind }) => kind === 'written') && faults.chance(0.7) ? 'written' : outcomes
  }

  #isRejected(sink: string, value: Value): boolean {
    const rejected = this.faults.sinkRejects > 0 && tokensOf(value).some((token) => this.fates.isPoison(sink, token))
    if (rejected) this.#hit('sinkRejects')
    return rejected
  }

  #keep(stage: Writer, write: Write, value: unknown): void {
    const { transactions } = this
    if (!stage.plan.name.startsWith('dead-letter:')) {
      const stored = (): void => this.oracle.stored(stage.plan, value as Value)
      if (transactions === null) stored()
      else transactions.wrote(write, stage.plan, value as Value, stored)
      return
    }
    const { value: raw, stage: at } = value as DeadLetter
    const delivery = raw as Delivery
    const confirmed = (): void => {
      delivery.letters.set(at, (delivery.letters.get(at) ?? 0) + 1)
    }
    if (transactions === null) confirmed()
    else transactions.wroteLetter(write, delivery, at, confirmed)
  }

  /** Null aborts. What a transaction came to is always known in the end: finding out is the connector's work. */
  #endTransaction(progress: readonly Progress[] | null): void {
    const transactions = this.transactions as TransactionModel
    for (const { positions } of progress ?? []) this.oracle.commitCommanded(positions, 'owned')
    const { faults } = this.#draws
    const refused = this.#meets('commitFails')
    const incarnation = this.#incarnation
    this.at(
      this.#latency(10),
      () => {
        // A process that died may have left the request; its successor waits for what comes of it.
        if (incarnation !== this.#incarnation) return
        let thrown: unknown = refused ? new HeadgateError('HG_COMMIT_FAILED', 'refused') : null
        try {
          if (progress === null || refused) transactions.abort()
          else
            transactions.commit(progress, this.oracle.oneToOne ? 'once' : 'often', ({ positions }) =>
              this.oracle.commitCommanded(positions, 'durable'),
            )
        } catch (error) {
          if (error instanceof Violation) throw error
          thrown = error
        }
        if (thrown === null && this.#meets('commitLosesReply') && faults.chance(0.5)) this.crash()
        if (incarnation === this.#incarnation) this.at(this.#latency(5), () => this.engine.transactionEnded(thrown))
      },
      0,
    )
  }

  #noteRejections(stage: Writer, write: Write, result: WriteResult | { readonly threw: unknown }): void {
    const { name, retry } = stage.plan
    if (result === 'written' || name.startsWith('dead-letter:')) return
    if ('threw' in result && (result.threw as { code?: unknown }).code !== undefined) return
    for (const [at, value] of write.values.entries()) {
      const outcome = 'threw' in result ? null : (result[at] as WriteOutcome)
      if (outcome?.kind === 'written') continue
      for (const { delivery, path } of tokensOf(value as Value))
        delivery.failed(name, path, outcome?.kind === 'rejected' ? 'final' : 'charged', retry.attempts)
    }
  }

  #commit(source: number, positions: readonly Position[]): void {
    this.oracle.commitCommanded(positions)
    const broker = this.scenario.brokers[source] as Broker
    const { faults } = this.#draws
    const refused = this.#meets('commitFails')
    const incarnation = this.#incarnation
    this.at(
      this.#latency(10),
      () => {
        // Half of the commits of a process that died have left it in time.
        if (incarnation !== this.#incarnation && faults.chance(0.5)) return
        let thrown: unknown = refused ? new HeadgateError('HG_COMMIT_FAILED', 'refused') : null
        try {
          if (!refused) broker.commit(positions)
        } catch (error) {
          thrown = error
        }
        if (thrown === null && this.#meets('commitLosesReply'))
          thrown = new HeadgateError('HG_CONNECTION_LOST', 'the reply was lost')
        if (incarnation === this.#incarnation)
          this.at(this.#latency(5), () => {
            const [position, ...others] = positions as [Position, ...Position[]]
            const stale = thrown instanceof HeadgateError && thrown.code === 'HG_FENCED'
            if (stale && others.length === 0 && this.oracle.ownedEpoch(position.partition) === position.epoch)
              this.oracle.gone(position.partition)
            this.engine.committed(source, thrown)
          })
      },
      0,
    )
  }

  // ── Partitions ───────────────────────────────────────────────────────────

  #assign(broker: Broker, partition: BrokerPartition, delayMs: number): void {
    this.at(delayMs, () => {
      if (partition.state !== 'unowned') return
      if (partition.doneAhead !== null && this.#meets('foreignProgress')) {
        partition.doneAhead = FOREIGN
        partition.ahead = []
      }
      const assignment = partition.assign()
      this.#revoking.delete(partition.name)
      this.oracle.assigned(partition.name, assignment.epoch)
      const reported = this.engine.assigned(broker.index, [assignment])
      if (reported.length !== (assignment.doneAhead === FOREIGN ? 1 : 0))
        throw new Violation('foreign progress is not told apart')
    })
  }

  revoke(partition: BrokerPartition, graceMs: number): void {
    if (partition.state !== 'owned') return
    partition.state = 'revoking'
    this.#revoking.add(partition.name)
    if (this.engine.revoked(partition.source, [partition.name], graceMs).length > 0) this.#taken(partition)
  }

  lose(partition: BrokerPartition): void {
    if (partition.state === 'unowned') return
    const tell = (): void => {
      this.oracle.gone(partition.name)
      this.engine.lost(partition.source, [partition.name])
    }
    this.#taken(partition)
    // The broker knows first; we hear of it later.
    const { epoch } = partition
    this.at(this.#draws.faults.chance(0.5) ? 0 : this.#latency(20), () => {
      if (partition.epoch === epoch) tell()
    })
  }

  #released(source: number, name: string): void {
    const partition = this.#partitions.get(name) as BrokerPartition
    this.oracle.gone(name)
    if (partition.state === 'revoking' && partition.source === source) this.#taken(partition)
  }

  #taken(partition: BrokerPartition): void {
    partition.giveUp()
    const broker = this.scenario.brokers[partition.source] as Broker
    this.#assign(broker, partition, 30 + this.#latency(300))
  }

  #meets(name: FaultChance): boolean {
    const meets = this.#draws.faults.chance(this.faults[name])
    if (meets) this.#hit(name)
    return meets
  }

  #hit(name: string): void {
    this.hits.set(name, (this.hits.get(name) ?? 0) + 1)
  }

  // ── Faults ───────────────────────────────────────────────────────────────

  #scheduleFault(name: FaultEvent): void {
    const everyMs = this.faults[name]
    if (!Number.isFinite(everyMs)) return
    this.at(
      this.#draws.faults.exponential(everyMs),
      () => {
        if (this.faults === NONE) return
        this.#inject(name)
        this.#scheduleFault(name)
      },
      0,
    )
  }

  #inject(name: FaultEvent): void {
    const { faults } = this.#draws
    const { engine } = this
    this.#hit(name)
    if (name === 'callsDown' || name === 'sinkDown' || name === 'letterDown') {
      this.#downUntilMs[name] = this.nowMs + faults.logUniform(20, 10_000)
    } else if (name === 'revoke' || name === 'lose') {
      for (const partition of this.#partitions.values()) {
        if (!faults.chance(0.5)) continue
        if (name === 'lose') this.lose(partition)
        else this.revoke(partition, faults.chance(0.3) ? faults.int(0, 50) : faults.int(100, 5000))
      }
    } else if (name === 'crash') this.crash()
    else if (name === 'drain') this.drain()
    else if (name === 'stop') this.stop()
    else if (name === 'pause') {
      engine.pause(true)
      if (faults.chance(0.5)) this.#abortPulls()
      this.at(this.#latency(500), () => engine.pause(false))
    } else if (name === 'heap') engine.observed({ usedBytes: faults.int(0, 100), limitBytes: 100 }, WALL_OFFSET_MS)
    else this.#changeLimits()
  }

  #changeLimits(): void {
    const { faults } = this.#draws
    const { plan } = this.scenario
    const scaled = (value: number, least: number): number =>
      Math.max(least, Math.round(value * faults.logUniform(0.2, 5)))
    const admission = {
      records: scaled(plan.admission.records, 1),
      bytes: scaled(plan.admission.bytes, plan.admission.maxRecordBytes),
      uncommittedRecords: scaled(plan.admission.uncommittedRecords, 1),
    }
    this.oracle.limits(admission)
    this.engine.setLimits({ admission })
    const calls = callsOf(plan.flow)
    if (calls.length === 0) return
    const call = faults.pick(calls)
    const limits = {
      concurrency: scaled(mostCalls(call.concurrency), 1),
      ...(call.rate === null ? {} : { perSecond: scaled(call.rate.perSecond, 1) }),
      timeoutMs: scaled(call.timeoutMs, 20),
    }
    this.oracle.callLimits(call.name, limits)
    this.engine.setLimits({ stages: { [call.name]: limits } })
  }

  /** A downstream that hardly ever answers in time is one of the faults: with those over, it does. */
  #handlerMs(timeoutMs: number): number {
    const { handlerMs } = this.scenario
    return this.faults === NONE ? Math.min(handlerMs, timeoutMs / 4) : handlerMs
  }

  #latency(meanMs: number): number {
    const { latency } = this.#draws
    return latency.chance(0.1) ? 0 : latency.exponential(meanMs)
  }

  describe(): string {
    const { stages, sources, records, admission } = this.engine.snapshot()
    const reasons = [...sources, ...stages].map(({ name, reason }) => `${name}: ${reason}`)
    const open = [...this.#partitions.values()].map(
      ({ name, state, nextOffset, end, cursor }) => `${name} ${state} ${nextOffset}/${end} (at ${cursor})`,
    )
    return [
      `at ${this.nowMs.toFixed(1)} ms, step ${this.steps}, run ${this.#incarnation}`,
      `records ${JSON.stringify(records)}`,
      `admission ${JSON.stringify(admission)}`,
      `waits for ${this.engine.waitingFor()}`,
      ...reasons,
      ...open,
    ].join('; ')
  }
}

const NONE = noFaults()
const FOREIGN = Uint8Array.of(1, 2, 3, 4, 5, 6, 7)
const TOO_LATE = new HeadgateError('HG_TIMEOUT', 'the handler heeds its signal')

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.tie < b.tie)
}

function howItFailed(threw: boolean, result: unknown): 'charged' | 'final' | 'free' {
  if (!threw) return 'final'
  if (!(result instanceof HeadgateError)) return (result as { code?: unknown }).code === undefined ? 'charged' : 'free'
  if (!result.retryable) return 'final'
  return result.scope === 'record' ? 'charged' : 'free'
}

function describeCommand(command: Command): string {
  const at = (token: Token): string => `${token.delivery.record.id}${token.path}`
  const all = (values: readonly unknown[]): string =>
    values
      .flatMap((value) =>
        Array.isArray(value) || 'path' in (value as object) ? tokensOf(value as Value).map(at) : [''],
      )
      .join(' ')
  if (command.kind === 'call')
    return `call ${command.stage.plan.name} ${all(command.slots.map((slot) => slot.item?.value))}`
  if (command.kind === 'write') return `write ${command.stage.plan.name} ${all(command.write.values)}`
  if (command.kind === 'pull') return `pull ${JSON.stringify(command.credit)} ${[...command.paused].join(' ')}`
  if (command.kind === 'endPull' || command.kind === 'abortTransaction') return command.kind
  if (command.kind === 'commitTransaction')
    return `commit all ${JSON.stringify(command.progress.map(({ source }) => source))}`
  if (command.kind === 'commit')
    return `commit ${command.positions.map(({ partition, epoch, nextOffset }) => `${partition} ${epoch} ${nextOffset}`)}`
  return command.kind === 'abort' ? `abort ${command.reason}` : `released ${command.partition}`
}
