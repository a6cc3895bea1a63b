/**
 * Lays out a plan as stages, from the sinks upward, since each stage needs to know the next. Neighbouring synchronous
 * stages become one segment; every dead-letter sink becomes a stage of its own, shared by all that name it.
 */
import type { DeadLetter, Sink } from '../model/connector.ts'
import {
  type CallPlan,
  deadLetterName,
  type FailurePolicy,
  type FlowPlan,
  type Plan,
  type SinkPlan,
  type StagePlan,
  type SyncStagePlan,
} from '../model/plan.ts'
import { BatchStage } from './batch.ts'
import { CallStage } from './call.ts'
import type { Core } from './core.ts'
import { decodeStep } from './decode.ts'
import { FlatMapStage } from './flat-map.ts'
import { type LearnedLimits, type LearnedPool, LimiterPool } from './limiter-pool.ts'
import { RouteStage } from './route.ts'
import { RUNS_LOOPS, Segment } from './segment.ts'
import { SinkStage } from './sink.ts'
import type { Inlet, Stage } from './stage.ts'

const DEAD_LETTER_QUEUE_RECORDS = 1024

export interface Flow {
  /** Upstream first. */
  readonly stages: readonly Stage[]
  readonly calls: readonly CallStage[]
  readonly sinks: readonly SinkStage[]
  /** Where each source's records enter, by source index. */
  readonly heads: readonly Inlet[]
  /**
   * What runs the function of one synchronous stage and of no other, with that stage's name: V8 may have made one function
   * of both. Where a single stage has a loop, it may have gone on with what runs loops.
   */
  readonly loops: readonly (readonly [stage: string, fn: unknown])[]
}

export function layOut(core: Core, plan: Plan, learned: LearnedLimits): Flow {
  const stages: Stage[] = []
  const calls: CallStage[] = []
  const sinks: SinkStage[] = []
  const deadLetterStages: SinkStage[] = []
  const segmentRecords = Math.max(1024, plan.admission.records)

  function deadLetterStage(policy: FailurePolicy): void {
    if (policy.kind !== 'deadLetter' || core.deadLetters.has(policy.sink)) return
    const stage = new SinkStage(core, deadLetterPlan(policy.sink), { unbatch: false, deadLettersOf: sourceNames })
    core.deadLetters.set(policy.sink, stage)
    sinks.push(stage)
    deadLetterStages.push(stage)
  }

  function add<S extends Stage>(stage: S): S {
    stages.unshift(stage)
    return stage
  }

  function lineUp(flow: FlowPlan): Inlet {
    let next = layEnd(flow)
    for (let index = flow.stages.length - 1; index >= 0; index -= 1) {
      const stage = flow.stages[index] as StagePlan
      if (stage.kind === 'call') next = layCall(stage, next)
      else if (stage.kind === 'batch') next = add(new BatchStage(core, stage, next))
      else if (stage.kind === 'flatMap') {
        deadLetterStage(stage.onFailure)
        next = add(new FlatMapStage(core, stage, next, segmentRecords))
      } else {
        const run: SyncStagePlan[] = [stage]
        for (
          let before = flow.stages[index - 1];
          before !== undefined && isSync(before);
          before = flow.stages[index - 1]
        ) {
          run.unshift(before)
          index -= 1
        }
        for (const { onFailure } of run) deadLetterStage(onFailure)
        next = add(new Segment(core, run, next, segmentRecords))
      }
    }
    return next
  }

  function layEnd({ end, stages: before }: FlowPlan): Inlet {
    deadLetterStage(end.onFailure)
    if (end.kind === 'route') {
      const targets = new Map<string, Inlet>()
      for (const [name, branch] of end.branches) targets.set(name, lineUp(branch))
      return add(new RouteStage(core, end, targets))
    }
    const stage = add(new SinkStage(core, end, { unbatch: before.at(-1)?.kind === 'batch', deadLettersOf: null }))
    sinks.push(stage)
    return stage
  }

  function layCall(call: CallPlan, next: Inlet): Inlet {
    deadLetterStage(call.onFailure)
    const stage = add(new CallStage(core, call, poolOf(core, call, learned), next))
    calls.push(stage)
    return stage
  }

  const sourceNames = plan.sources.map(({ source }) => source.name)
  const first = lineUp(plan.flow)
  const heads = plan.sources.map(({ source, onFailure }, index) => {
    deadLetterStage(onFailure)
    const name = plan.sources.length === 1 ? 'decode' : `decode-${index + 1}`
    const step = decodeStep(name, source, plan.admission.maxRecordBytes, onFailure)
    return add(new Segment(core, [step], first, segmentRecords))
  })
  const loops: Flow['loops'][number][] = stages.flatMap((stage) => (stage instanceof Segment ? stage.loops : []))
  const [only] = loops
  if (loops.length === 1 && only !== undefined) loops.push([only[0], RUNS_LOOPS])
  return { stages: [...stages, ...deadLetterStages], calls, sinks, heads, loops }
}

function poolOf(core: Core, { name, concurrency, timeoutMs }: CallPlan, learned: LearnedLimits): LimiterPool {
  const shared = concurrency.kind === 'adaptive' ? concurrency.limiter : null
  const id = shared === null ? `stage:${name}` : `limiter:${shared}`
  let pool = core.limiters.get(id)
  if (pool === undefined) {
    const own: unknown = Object.hasOwn(learned, id) ? learned[id] : null
    const usable = typeof own === 'object' && own !== null ? (own as LearnedPool) : {}
    pool = new LimiterPool(concurrency, timeoutMs, core.wallOffsetMs, () => core.random.next(), usable)
    core.limiters.set(id, pool)
  }
  return pool
}

function isSync(stage: StagePlan): stage is SyncStagePlan {
  return stage.kind === 'map' || stage.kind === 'filter' || stage.kind === 'tap'
}

function deadLetterPlan(sink: Sink<DeadLetter>): SinkPlan {
  return {
    kind: 'sink',
    name: deadLetterName(sink),
    sink,
    order: 'none',
    retry: { attempts: Number.POSITIVE_INFINITY, backoff: { baseMs: 100, maxMs: 10_000, factor: 2 } },
    onFailure: { kind: 'stop' },
    queueRecords: DEAD_LETTER_QUEUE_RECORDS,
  }
}
