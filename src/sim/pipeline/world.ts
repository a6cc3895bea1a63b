/**
 * A pipeline in virtual time: the real engine, one modelled thread on which everything takes its turn, and a broker,
 * a downstream and a sink around it. Twice a virtual second it makes the same status that a running pipeline makes and
 * hands it to `onStatus`. The same spec and seed give the same run.
 */
import { SeededRandom } from '../../control/random.ts'
import type { Command } from '../../engine/commands.ts'
import { Engine } from '../../engine/engine.ts'
import { dueAt, Heap } from '../../engine/heap.ts'
import type { Slot } from '../../engine/slots.ts'
import type { Credit } from '../../model/connector.ts'
import { HeadgateError } from '../../model/errors.ts'
import type { Status } from '../../model/status.ts'
import { makeStatus, type Surroundings } from '../../runtime/status.ts'
import { Broker } from './broker.ts'
import { planOf } from './plan.ts'
import { Service } from './service.ts'
import type { PipelineSpec } from './spec.ts'

const WALL_MS = 1_700_000_000_000
const STATUS_MS = 500
const PULL_WAIT_MS = 1000

interface Event {
  readonly dueMs: number
  /** Takes its time on the thread by moving the clock. */
  readonly run: () => void
}

type CallOf = Extract<Command, { kind: 'call' }>['stage']
type WriteOf = Extract<Command, { kind: 'write' }>

export class PipelineWorld {
  nowMs = 0
  readonly engine: Engine
  #spec: PipelineSpec
  readonly #broker: Broker
  readonly #service: Service
  readonly #noise: SeededRandom
  readonly #onStatus: (status: Status, world: PipelineWorld) => void
  readonly #events = new Heap<Event>(dueAt)
  #activeMs = 0
  #cpuMs = 0
  #gcMs = 0
  #turnsMs = 0
  #lateMsSeconds = 0
  #owedMs = 0
  /** Records since the last collection. */
  #garbage = 0
  #pooled = 0
  readonly #poolLine: (() => void)[] = []
  readonly #tickets = new Map<Slot, number>()
  /** Calls that a downstream that hangs has not answered. */
  readonly #hung: (() => void)[] = []
  #blocks = false
  #isOver = false
  #serial = 0
  #pull: { readonly end: () => void } | null = null
  #backlog: ReturnType<Surroundings['backlog']> = { records: null, oldestMs: null, partitions: [], arrived: null }

  constructor(spec: PipelineSpec, seed: number, onStatus: (status: Status, world: PipelineWorld) => void) {
    this.#spec = spec
    this.#onStatus = onStatus
    this.#broker = new Broker(spec, seed, WALL_MS)
    this.#service = new Service(spec.enrich, seed)
    this.#noise = new SeededRandom(seed ^ 0x2015e)
    const plan = planOf(spec, this.#broker.source, () => {
      this.#owedMs += this.#spec.parse.cpuMs
      this.#garbage += 1
    })
    const ports = {
      run: (work: () => void): number => {
        this.#owedMs = 0
        work()
        this.spend(this.#owedMs)
        return this.nowMs
      },
      ignore: (): void => {},
    }
    this.engine = new Engine(plan, ports, { nowMs: 0, wallOffsetMs: WALL_MS, seed })
    this.at(0, () => {
      this.engine.opened(0)
      this.engine.assigned(
        0,
        this.#broker.partitions.map(({ name, epoch }) => ({ partition: name, epoch, nextOffset: 0, doneAhead: null })),
      )
    })
    this.at(0, () => this.#askBacklog())
    this.at(STATUS_MS, () => this.#status())
    const { rebalanceAtMs, changes = [] } = spec
    this.#block()
    if (rebalanceAtMs !== undefined) this.at(rebalanceAtMs, () => this.#revokeHalf())
    for (const { atMs, to } of changes) this.at(atMs, () => this.#become(to))
  }

  /** To the end of the spec's time, or until somebody says that it is over. */
  run(): void {
    while (this.nowMs < this.#spec.durationMs && !this.#isOver) this.#turn()
  }

  end(): void {
    this.#isOver = true
  }

  at(delayMs: number, run: () => void): void {
    this.#events.push({ dueMs: this.nowMs + delayMs, run })
  }

  /** Gives `enrich` so many slots for a while, then as many as before. */
  trySlots(concurrency: number, forMs: number): void {
    this.engine.setLimits({ stages: { enrich: { concurrency } } })
    this.at(forMs, () => this.engine.setLimits({ stages: { enrich: { concurrency: this.#spec.enrich.slots } } }))
  }

  /** The thread is busy for so long; what falls due meanwhile waits. */
  spend(ms: number): void {
    const wallMs = ms / this.#spec.thread.granted
    this.nowMs += wallMs
    this.#activeMs += wallMs
    this.#cpuMs += ms
  }

  /** Code of no stage keeps the thread again and again, for as long as the spec has it. */
  #block(): void {
    const { blockMs, blockEveryMs } = this.#spec.thread
    this.#blocks = blockMs > 0
    if (!this.#blocks) return
    this.at(blockEveryMs * (0.5 + this.#noise.next()), () => {
      this.spend(this.#spec.thread.blockMs)
      this.#block()
    })
  }

  #become(spec: PipelineSpec): void {
    const { enrich, thread } = this.#spec
    this.#spec = spec
    this.#broker.change(spec, this.nowMs)
    this.#service.change(spec.enrich, this.nowMs)
    // As full as it was.
    this.#garbage *= spec.thread.gcEveryRecords / thread.gcEveryRecords
    const { ratePerSecond } = spec.enrich
    if (ratePerSecond !== null && ratePerSecond !== enrich.ratePerSecond)
      this.engine.setLimits({ stages: { enrich: { perSecond: ratePerSecond } } })
    if (!this.#blocks) this.#block()
    for (const send of this.#hung.splice(0)) send()
  }

  // ── The thread ───────────────────────────────────────────────────────────

  #turn(): void {
    const { engine } = this
    const dueMs = this.#events.peek()?.dueMs ?? Number.POSITIVE_INFINITY
    // As a timer: whole milliseconds, and never early.
    const wakeMs = Math.max(this.nowMs, Math.ceil(engine.wakeMs()))
    this.nowMs = Math.max(this.nowMs, Math.min(dueMs, wakeMs, this.#spec.durationMs))
    const startMs = this.nowMs
    const { engineMs } = this.#spec.thread
    engine.advance(this.nowMs)
    let things = 1
    for (let event = this.#events.peek(); event !== undefined && event.dueMs <= startMs; event = this.#events.peek()) {
      this.#events.pop()
      event.run()
      things += 1
    }
    this.#collect()
    const turnMs = this.nowMs
    engine.advance(this.nowMs)
    this.spend(things * engineMs)
    engine.resume()
    for (const command of engine.takeCommands()) this.#perform(command)
    this.#turnsMs += this.nowMs - turnMs
    // What falls due in a turn waits for its end: half of it on average.
    this.#lateMsSeconds += (this.nowMs - startMs) ** 2 / 2 / 1000
  }

  #collect(): void {
    const { gcMs, gcEveryRecords } = this.#spec.thread
    for (; this.#garbage >= gcEveryRecords; this.#garbage -= gcEveryRecords) {
      this.spend(gcMs)
      this.#gcMs += gcMs / this.#spec.thread.granted
    }
  }

  #perform(command: Command): void {
    if (command.kind === 'call') this.#call(command.stage, command.slots)
    else if (command.kind === 'write') this.#write(command)
    else if (command.kind === 'pull') this.#startPull(command.credit, command.paused)
    else if (command.kind === 'endPull') this.#pull?.end()
    else if (command.kind === 'commit') this.at(this.#spec.source.commitMs, () => this.engine.committed(0, null))
    else if (command.kind === 'abort') this.#abort(command.slot)
    // Its pipelines have no transactions.
    else if (command.kind === 'released') this.#takeBack(command.partition)
  }

  // ── Calls ────────────────────────────────────────────────────────────────

  #call(stage: CallOf, slots: readonly Slot[]): void {
    const startMs = this.nowMs
    for (const slot of slots) {
      this.spend(this.#spec.enrich.cpuMs)
      this.#serial += 1
      const ticket = this.#serial
      this.#tickets.set(slot, ticket)
      if (this.#spec.enrich.pool === null) this.#send(slot, ticket)
      else this.#acquire(slot, ticket, this.#spec.enrich.pool)
    }
    this.engine.ran(stage, this.nowMs - startMs)
  }

  #acquire(slot: Slot, ticket: number, size: number): void {
    const go = (): void => {
      this.#pooled += 1
      if (this.#tickets.get(slot) === ticket) slot.stage.pooling(slot, false)
      this.#send(slot, ticket)
    }
    if (this.#pooled < size) {
      go()
      return
    }
    slot.stage.pooling(slot, true)
    this.#poolLine.push(go)
  }

  #send(slot: Slot, ticket: number): void {
    const answer = this.#service.send(this.nowMs)
    if (answer === null) {
      this.#hung.push(() => {
        if (this.#tickets.get(slot) === ticket) this.#send(slot, ticket)
      })
      return
    }
    this.at(answer.atMs - this.nowMs, () => {
      this.spend(this.#spec.thread.afterCallMs)
      if (this.#spec.enrich.pool !== null) {
        this.#pooled -= 1
        this.#poolLine.shift()?.()
      }
      this.#settle(slot, ticket, answer.thrown)
    })
  }

  #settle(slot: Slot, ticket: number, thrown: unknown): void {
    if (this.#tickets.get(slot) !== ticket || slot.retired) return
    this.#tickets.delete(slot)
    slot.threw = thrown !== undefined
    slot.result = thrown ?? true
    this.engine.settled(slot)
  }

  #abort(slot: Slot): void {
    const ticket = this.#tickets.get(slot)
    if (ticket === undefined) return
    const late = new HeadgateError('HG_TIMEOUT', 'the attempt is past its deadline')
    this.at(1, () => this.#settle(slot, ticket, late))
  }

  // ── Writes, pulls, partitions ────────────────────────────────────────────

  #write({ stage, write }: WriteOf): void {
    const { fixedMs, eachMs, cpuFixedMs, cpuEachMs } = this.#spec.store
    const startMs = this.nowMs
    this.spend(cpuFixedMs + cpuEachMs * write.records)
    this.engine.ranWrite(stage, write, this.nowMs - startMs)
    const tookMs = (fixedMs + eachMs * write.records) * (0.9 + 0.2 * this.#noise.next())
    this.at(tookMs, () => this.engine.wrote(stage, write, 'written'))
  }

  #startPull(credit: Credit, paused: ReadonlySet<string>): void {
    const { fetchMs, fetchEachMs, fetchRecords } = this.#spec.source
    let over = false
    const answer = (): void => {
      if (over) return
      over = true
      this.#pull = null
      this.#broker.advance(this.nowMs)
      const batches = this.#broker.take(credit, paused)
      this.engine.pulled(0, { batches, ended: false }, { records: 0, bytes: 0 })
    }
    const look = (untilMs: number): void => {
      if (over) return
      this.#broker.advance(this.nowMs)
      const records = Math.min(this.#broker.waiting(paused), credit.records, fetchRecords)
      if (records > 0 || this.nowMs >= untilMs) this.at(fetchMs + fetchEachMs * records, answer)
      else this.at(Math.max(0, Math.min(untilMs, this.#broker.nextMs) - this.nowMs), () => look(untilMs))
    }
    this.#pull = { end: () => this.at(0, answer) }
    look(this.nowMs + PULL_WAIT_MS)
  }

  #revokeHalf(): void {
    const names = this.#broker.partitions.filter((_, index) => index % 2 === 1).map(({ name }) => name)
    for (const partition of this.#broker.partitions) if (names.includes(partition.name)) partition.owned = false
    this.engine.revoked(0, names, 2000)
  }

  #takeBack(name: string): void {
    const partition = this.#broker.partitions.find((each) => each.name === name)
    if (partition === undefined) return
    this.at(1500, () => {
      partition.owned = true
      partition.epoch += 1
      const nextOffset = partition.offset - partition.records.length
      this.engine.assigned(0, [{ partition: name, epoch: partition.epoch, nextOffset, doneAhead: null }])
    })
  }

  // ── What is seen of it ───────────────────────────────────────────────────

  #askBacklog(): void {
    this.#broker.advance(this.nowMs)
    const partitions = this.#broker.backlog()
    const records = partitions.reduce((sum, partition) => sum + (partition.records ?? 0), 0)
    const times = partitions.map(({ oldestTimestampMs }) => oldestTimestampMs ?? Number.POSITIVE_INFINITY)
    const oldestMs = Math.min(Number.POSITIVE_INFINITY, ...times)
    this.#backlog = {
      records,
      oldestMs: Number.isFinite(oldestMs) ? oldestMs : null,
      partitions,
      arrived: { records: records + this.engine.delivered(0), atMs: this.nowMs + WALL_MS },
    }
    this.at(1000, () => this.#askBacklog())
  }

  #status(): void {
    const surroundings: Surroundings = {
      backlog: () => this.#backlog,
      memory: () => ({ rssStartBytes: 1e8, rssMaxBytes: 1e8, rssEndBytes: 1e8, heapMaxBytes: 5e7 }),
      process: () => ({
        loopActiveMs: this.#activeMs,
        loopMs: this.nowMs,
        gcMs: this.#gcMs,
        cpuMs: this.#cpuMs,
        lateMsSeconds: this.#lateMsSeconds,
        heapUsedBytes: 5e7,
        heapLimitBytes: 4e9,
        rssBytes: 1e8,
      }),
    }
    const status = makeStatus({
      pipeline: 'simulated',
      state: 'running',
      error: null,
      startedAtMs: WALL_MS,
      nowMs: this.nowMs + WALL_MS,
      snapshot: this.engine.snapshot(),
      meter: surroundings,
      turnsMs: this.#turnsMs,
    })
    this.#onStatus(status, this)
    this.at(STATUS_MS, () => this.#status())
  }
}
