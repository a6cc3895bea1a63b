/**
 * Drives an engine by hand, one input at a time, for tests that are about one sequence of events. `step` does what the
 * runtime does in one turn and gives back the commands of that turn.
 */
import type { Command } from '../../src/engine/commands.ts'
import { Engine } from '../../src/engine/engine.ts'
import type { LearnedLimits } from '../../src/engine/limiter-pool.ts'
import type { Position, RecordBatch, Sink, WriteOutcome } from '../../src/model/connector.ts'
import type { CallPlan, FlowPlan, Plan, SinkPlan, SourcePlan } from '../../src/model/plan.ts'
import { NO_HEADERS } from '../../src/model/record.ts'
import { Broker } from './broker.ts'
import { ADMISSION, modelledSink, QUICK_RETRY } from './topology.ts'

type Call = Extract<Command, { kind: 'call' }>
type WriteCommand = Extract<Command, { kind: 'write' }>

export function callPlan(more: Partial<CallPlan> = {}): CallPlan {
  return {
    kind: 'call',
    name: 'call',
    fn: (() => undefined) as never,
    order: 'none',
    concurrency: { kind: 'fixed', limit: 10 },
    limitKey: null,
    rate: null,
    timeoutMs: 1000,
    retry: QUICK_RETRY,
    onFailure: { kind: 'stop' },
    queueRecords: 100,
    ...more,
  }
}

export function sinkPlan(more: Partial<SinkPlan> = {}, capabilities: Partial<Sink['capabilities']> = {}): SinkPlan {
  return {
    kind: 'sink',
    name: 'sink',
    sink: modelledSink('sink', capabilities),
    order: 'none',
    retry: QUICK_RETRY,
    onFailure: { kind: 'stop' },
    queueRecords: 100,
    ...more,
  }
}

export function planOf(flow: FlowPlan, more: Partial<Plan> = {}, sources = 1, metadataBytes = 4096): Plan {
  return {
    name: 'by-hand',
    sources: Array.from({ length: sources }, (_, index): SourcePlan => {
      const { source } = new Broker(index, `topic-${index}`, 1, { metadataBytes, finite: false })
      return { source, onFailure: { kind: 'stop' } }
    }),
    flow,
    admission: ADMISSION,
    commit: { intervalMs: 10, records: 1 },
    drainMs: 1000,
    revokeGraceMs: 1000,
    ...more,
  }
}

/** Offsets, or offsets with keys. */
export function batch(partition: string, epoch: number, records: readonly (number | [number, string])[]): RecordBatch {
  return {
    partition,
    epoch,
    records: records.map((record) => {
      const [offset, key] = typeof record === 'number' ? [record, null] : record
      return { key, partition, offset, timestampMs: 0, headers: NO_HEADERS, bytes: 10, value: offset }
    }),
  }
}

export class Hand {
  readonly engine: Engine
  nowMs = 0
  /** All commands so far that nobody has taken. */
  commands: Command[] = []

  constructor(plan: Plan, partitions: readonly string[] = ['p'], learned?: unknown) {
    const ports = {
      run: (work: () => void): number => {
        work()
        return this.nowMs
      },
      ignore: (): void => {},
    }
    const options = { nowMs: 0, wallOffsetMs: 0, seed: 1, learned: learned as LearnedLimits | undefined }
    this.engine = new Engine(plan, ports, options)
    for (let source = 0; source < plan.sources.length; source += 1) this.engine.opened(source)
    for (const partition of partitions) this.assign(partition, 1, 0)
    this.step()
  }

  assign(partition: string, epoch: number, nextOffset: number, doneAhead: Uint8Array | null = null): void {
    this.engine.assigned(0, [{ partition, epoch, nextOffset, doneAhead }])
  }

  /** One turn of the loop; `ms` pass before it. */
  step(apply: () => void = () => {}, ms = 0): Command[] {
    this.nowMs += ms
    this.engine.advance(this.nowMs)
    apply()
    this.engine.resume()
    const commands = this.engine.takeCommands()
    this.commands.push(...commands)
    return commands
  }

  /** Answers the pull that is under way. */
  pulled(...batches: RecordBatch[]): Command[] {
    this.take('pull')
    return this.step(() => this.engine.pulled(0, { batches, ended: false }, { records: 0, bytes: 0 }))
  }

  /** Takes the first command of a kind out of those that came; fails when there is none. */
  take<K extends Command['kind']>(kind: K): Extract<Command, { kind: K }> {
    const at = this.commands.findIndex((command) => command.kind === kind)
    if (at < 0) throw new Error(`no ${kind} was commanded`)
    return this.commands.splice(at, 1)[0] as Extract<Command, { kind: K }>
  }

  has(kind: Command['kind']): boolean {
    return this.commands.some((command) => command.kind === kind)
  }

  /** A call handler settles: with its input, or by throwing. */
  settle(call: Call, at = 0, thrown: unknown = null): Command[] {
    const slot = call.slots[at] as Call['slots'][number]
    slot.threw = thrown !== null
    slot.result = thrown ?? slot.item?.value
    return this.step(() => this.engine.settled(slot))
  }

  wrote({ stage, write }: WriteCommand, result: 'written' | readonly WriteOutcome[] | { threw: unknown } = 'written') {
    return this.step(() => this.engine.wrote(stage, write, result))
  }

  /** Lets the commit that is due be commanded and answers it; returns its positions. */
  commit(thrown: unknown = null, ms = 10): readonly Position[] {
    if (!this.has('commit')) this.step(() => {}, ms)
    const { source, positions } = this.take('commit')
    this.step(() => this.engine.committed(source, thrown))
    return positions
  }
}
