/**
 * Scenarios for the simulated world: `randomScenario` draws everything from a seed, `chain` sets up one plain line of
 * stages for a test that is about one thing. Both fill the brokers with records of skewed keys, varied sizes and gaps.
 */
import type { FlowPlan, Plan } from '../../src/model/plan.ts'
import { Broker } from './broker.ts'
import { Draw } from './draw.ts'
import type { Fates } from './fates.ts'
import { type Faults, noFaults, swarm } from './faults.ts'
import { ADMISSION, type Behaviour, type Shape, Topology } from './topology.ts'
import type { Scenario } from './world.ts'

interface Load {
  /** Records a partition, at most. */
  readonly records: number
  readonly keys: number
  readonly gaps: number
  readonly spreadMs: number
  readonly maxBytes: number
}

export function fill(draw: Draw, broker: Broker, load: Load): void {
  for (const partition of broker.partitions) {
    const count = draw.int(1, load.records)
    let offset = draw.chance(0.5) ? 0 : draw.int(0, 1000)
    partition.nextOffset = offset
    const times = Array.from({ length: count }, () => draw.unit() * load.spreadMs).sort((a, b) => a - b)
    for (let at = 0; at < count; at += 1) {
      if (draw.chance(load.gaps)) offset += draw.int(1, 20)
      partition.records.push({
        id: `${partition.name}@${offset}`,
        source: broker.index,
        partition: partition.name,
        offset,
        // Squared: few keys are hot, most are cold.
        key: draw.chance(0.05) ? null : `key-${Math.floor(draw.unit() ** 2 * load.keys)}`,
        bytes: Math.ceil(draw.logUniform(1, load.maxBytes)),
        arrivesMs: 1000 + (times[at] as number),
        done: false,
        cured: false,
        deliveries: [],
      })
      offset += 1
    }
  }
}

export function randomScenario(seed: number): Scenario {
  const draw = new Draw(seed, 'workload')
  const faults = swarm(new Draw(seed, 'faults of choice'))
  const faultsUntilMs = draw.logUniform(1000, 30_000)
  const rebalances = [faults.revoke, faults.lose].some(Number.isFinite)
  const finite = !rebalances && draw.chance(0.5)
  const oversized = draw.chance(0.2)
  const load = {
    records: Math.round(draw.logUniform(5, 400)),
    keys: Math.round(draw.logUniform(1, 200)),
    gaps: draw.chance(0.5) ? 0 : draw.logUniform(0.01, 0.5),
    spreadMs: draw.chance(0.4) ? 0 : draw.logUniform(100, faultsUntilMs),
    maxBytes: oversized ? 2500 : 2000,
  }
  const metadataBytes = draw.pick([0, 16, 64, 256, 4096, Number.POSITIVE_INFINITY])
  const brokers = Array.from({ length: draw.pick([1, 1, 1, 2, 3]) }, (_, index) => {
    const broker = new Broker(index, `topic-${index}`, draw.int(1, 4), { metadataBytes, finite })
    fill(draw, broker, load)
    return broker
  })
  const policies = draw.pick([['deadLetter'], ['skip'], ['stop'], ['deadLetter', 'skip', 'stop']] as const)
  const shape: Shape = {
    branching: draw.chance(0.5),
    fanOut: draw.chance(0.5),
    batches: draw.chance(0.5),
    ordered: draw.chance(0.7),
    policies,
  }
  const behaviour = newBehaviour()
  const plan = new Topology(draw, behaviour, shape).plan(brokers.map(({ source }) => source))
  const poison = draw.chance(0.5) ? 0 : draw.logUniform(0.001, 0.1)
  return {
    seed,
    plan,
    brokers,
    behaviour,
    ways: { poison: policies[0] === 'stop' ? poison / 10 : poison, passes: draw.unit() },
    faults,
    faultsUntilMs,
    handlerMs: draw.logUniform(0.1, 300),
    sinkMs: draw.logUniform(0.1, 200),
    oversized,
  }
}

/** Filled in by the world. */
export function newBehaviour(): Behaviour {
  return { fates: null as unknown as Fates, touched: () => {} }
}

export interface ChainOptions {
  readonly seed?: number
  readonly partitions?: number
  readonly records?: number
  readonly keys?: number
  readonly gaps?: number
  readonly spreadMs?: number
  readonly maxBytes?: number
  readonly metadataBytes?: number
  readonly sources?: number
  readonly finite?: boolean
  readonly poison?: number
  readonly passes?: number
  readonly faults?: Partial<Faults>
  readonly faultsUntilMs?: number
  readonly handlerMs?: number
  readonly sinkMs?: number
  readonly admission?: Partial<Plan['admission']>
  readonly commit?: Partial<Plan['commit']>
  readonly transaction?: Plan['transaction']
}

/** One line of stages; `flow` builds it with the topology's own parts. */
export function chain(
  options: ChainOptions,
  flow: (topology: Topology) => FlowPlan,
  more: Partial<Scenario> = {},
): Scenario {
  const { seed = 1 } = options
  const draw = new Draw(seed, 'workload')
  const behaviour = newBehaviour()
  const shape: Shape = { branching: false, fanOut: false, batches: false, ordered: false, policies: ['skip'] }
  const brokers = Array.from({ length: options.sources ?? 1 }, (_, index) => {
    const { metadataBytes = 4096, finite = false } = options
    const broker = new Broker(index, `topic-${index}`, options.partitions ?? 2, { metadataBytes, finite })
    fill(draw, broker, {
      records: options.records ?? 300,
      keys: options.keys ?? 20,
      gaps: options.gaps ?? 0.1,
      spreadMs: options.spreadMs ?? 0,
      maxBytes: options.maxBytes ?? 500,
    })
    return broker
  })
  const topology = new Topology(draw, behaviour, shape)
  const plan: Plan = {
    name: 'chain',
    sources: brokers.map(({ source }) => ({
      source: { ...source, decode: topology.decode(source) },
      onFailure: { kind: 'skip' },
    })),
    flow: flow(topology),
    admission: { ...ADMISSION, ...options.admission },
    commit: { intervalMs: 100, records: 100, ...options.commit },
    transaction: options.transaction,
    drainMs: 20_000,
    revokeGraceMs: 5000,
  }
  return {
    seed,
    plan,
    brokers,
    behaviour,
    ways: { poison: options.poison ?? 0, passes: options.passes ?? 0.8 },
    faults: { ...noFaults(), ...options.faults },
    faultsUntilMs: options.faultsUntilMs ?? 20_000,
    handlerMs: options.handlerMs ?? 10,
    sinkMs: options.sinkMs ?? 10,
    ...more,
  }
}

/** Faults that press hard, for scenarios about one promise. */
export const REBALANCES: Partial<Faults> = { revoke: 400, lose: 900 }
export const CRASHES: Partial<Faults> = { crash: 700, drain: 2000, stop: 3000 }

/** The flow of most of them: a filter, a call, a sink. */
export const callAndWrite =
  (order: 'none' | 'key' | 'partition', policy: 'stop' | 'skip' | 'letters' = 'letters') =>
  (topology: Topology) => {
    const onFailure = policy === 'letters' ? topology.letters() : ({ kind: policy } as const)
    return {
      stages: [topology.sync('filter'), topology.call(order, { onFailure, timeoutMs: 200, queueRecords: 100 })],
      end: topology.sink(order, { onFailure }),
    }
  }
