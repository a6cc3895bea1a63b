/**
 * Random plans for the simulated world: chains with nested routes, every order and failure policy, small and large
 * bounds. The synchronous stages follow `Fates`, so a record takes the same way each time; calls and writes are
 * performed by the world.
 */
import type { DeadLetter, Sink, Source } from '../../src/model/connector.ts'
import { reject } from '../../src/model/errors.ts'
import type {
  AdmissionPlan,
  BatchPlan,
  CallPlan,
  FailurePolicy,
  FlowPlan,
  Order,
  Plan,
  RetryPlan,
  SinkPlan,
  StagePlan,
} from '../../src/model/plan.ts'
import { chanceOf, type Draw } from './draw.ts'
import { childToken, type Fates, type Token, tenantOf, tokensOf, type Value } from './fates.ts'

/** What the synchronous stages need of the world; filled in once the plan exists. */
export interface Behaviour {
  fates: Fates
  /** Something ran for these tokens. */
  touched(stage: string, tokens: readonly Token[]): void
}

export interface Shape {
  readonly branching: boolean
  readonly fanOut: boolean
  readonly batches: boolean
  readonly ordered: boolean
  readonly policies: readonly FailurePolicy['kind'][]
}

export function modelledSink(name: string, capabilities: Partial<Sink['capabilities']> = {}): Sink<never> {
  const never = (): never => {
    throw new Error('the engine calls no connector')
  }
  return {
    name,
    capabilities: { maxBatchRecords: 100, maxInFlightWrites: 4, idempotent: true, atomic: false, ...capabilities },
    open: never,
    write: never,
    close: never,
  }
}

export const QUICK_RETRY: RetryPlan = { attempts: 4, backoff: { baseMs: 10, maxMs: 200, factor: 2 }, budget: 0.5 }

export const ADMISSION: AdmissionPlan = {
  records: 200,
  bytes: 200_000,
  residenceMs: 30_000,
  maxRecordBytes: 2000,
  uncommittedRecords: 1000,
}

export class Topology {
  readonly #draw: Draw
  readonly #behaviour: Behaviour
  readonly #shape: Shape
  readonly #letters: readonly Sink<DeadLetter>[]
  #names = 0

  constructor(draw: Draw, behaviour: Behaviour, shape: Shape) {
    this.#draw = draw
    this.#behaviour = behaviour
    this.#shape = shape
    this.#letters = ['letters', 'letters-2'].map(
      (name) => modelledSink(name, { maxBatchRecords: draw.int(1, 20), maxInFlightWrites: draw.int(1, 3) }) as never,
    )
  }

  plan(sources: readonly Source[]): Plan {
    const draw = this.#draw
    const flow = this.flow(2, 'none', 'strictest')
    const maxRecordBytes = 2000
    return {
      name: 'simulated',
      sources: sources.map((source) => ({
        source: { ...source, decode: this.decode(source) },
        onFailure: this.policy(),
      })),
      flow,
      admission: {
        records: Math.round(draw.logUniform(1, 600)),
        bytes: Math.round(draw.logUniform(maxRecordBytes, 300_000)),
        residenceMs: Math.round(draw.logUniform(100, 60_000)),
        maxRecordBytes,
        uncommittedRecords: Math.round(draw.logUniform(1, 1000)),
      },
      commit: { intervalMs: Math.round(draw.logUniform(1, 5000)), records: Math.round(draw.logUniform(1, 1000)) },
      drainMs: 20_000,
      revokeGraceMs: 5000,
    }
  }

  decode(source: Source): NonNullable<Source['decode']> {
    const behaviour = this.#behaviour
    return (raw, _record) => {
      const token = { delivery: raw as Token['delivery'], path: '' }
      const stage = behaviour.fates.decodeName(token.delivery.record.source)
      behaviour.touched(stage, [token])
      if (behaviour.fates.isPoison(stage, token)) {
        token.delivery.failed(stage, '', 'final', 1)
        throw reject(`${source.name} does not decode`)
      }
      return token
    }
  }

  flow(depth: number, order: Order, position: 'strictest' | 'inner'): FlowPlan {
    const draw = this.#draw
    const stages: StagePlan[] = []
    let strictest = order
    let batched = false
    for (let left = draw.int(0, 4); left > 0; left -= 1) {
      const kind = draw.pick(['map', 'filter', 'tap', 'flatMap', 'call', 'call', 'call', 'batch'] as const)
      if (kind === 'batch') {
        if (!this.#shape.batches || batched) continue
        batched = true
        stages.push(this.batch())
      } else if (kind === 'call') {
        const call = this.call(batched ? 'none' : this.order())
        if (call.order !== 'none') strictest = call.order
        stages.push(call)
      } else if (kind === 'flatMap') {
        if (this.#shape.fanOut && !batched) stages.push(this.flatMap())
      } else if (!batched || kind === 'map') {
        stages.push(this.sync(kind))
      }
    }
    if (!batched && depth > 0 && this.#shape.branching && draw.chance(position === 'inner' ? 0.2 : 0.4)) {
      return { stages, end: this.route(depth - 1, strictest) }
    }
    const combined = batched && stages.at(-1)?.kind !== 'batch'
    return { stages, end: this.sink(combined ? 'none' : draw.chance(0.8) ? strictest : this.order()) }
  }

  route(depth: number, order: Order): FlowPlan['end'] {
    const name = this.#name('route')
    const branches = new Map<string, FlowPlan>()
    const count = this.#draw.int(1, 3)
    for (let at = 0; at < count; at += 1) branches.set(`branch-${at}`, this.flow(depth, order, 'inner'))
    const names = [...branches.keys()]
    const select = this.#guarded(name, (token) => this.#behaviour.fates.branch(name, token, names))
    const queueRecords = this.#draw.int(1, 50)
    return { kind: 'route', name, select: select as never, branches, queueRecords, onFailure: this.policy() }
  }

  sink(order: Order, more: Partial<SinkPlan> = {}, capabilities: Partial<Sink['capabilities']> = {}): SinkPlan {
    const draw = this.#draw
    const name = this.#name('sink')
    const sink = modelledSink(name, {
      maxBatchRecords: Math.round(draw.logUniform(1, 200)),
      maxInFlightWrites: draw.int(1, 5),
      atomic: draw.chance(0.5),
      ...capabilities,
    })
    const queueRecords = draw.int(1, 200)
    const onFailure = this.policy()
    return { kind: 'sink', name, sink, order, retry: this.retry(), onFailure, queueRecords, ...more }
  }

  sync(kind: 'map' | 'filter' | 'tap'): StagePlan {
    const name = this.#name(kind)
    const fn = this.#guarded(name, (token, value) => {
      if (kind !== 'filter') return value
      const passes = this.#behaviour.fates.passes(name, token)
      if (!passes) token.delivery.written.add(`${name}|${token.path}`)
      return passes
    })
    return { kind, name, fn: fn as never, onFailure: this.policy() }
  }

  flatMap(): StagePlan {
    const name = this.#name('flatMap')
    const behaviour = this.#behaviour
    const fn = function* (token: Token): Generator<Token> {
      behaviour.touched(name, [token])
      const { fates } = behaviour
      const throwsAt = fates.isPoison(name, token) ? fates.outputsBeforeThrow(name, token) : Number.POSITIVE_INFINITY
      const outputs = fates.fanOut(name, token)
      for (let output = 0; output <= outputs; output += 1) {
        if (output === throwsAt) {
          token.delivery.failed(name, token.path, 'final', 1)
          throw new Error(`${name} cannot expand it`)
        }
        if (output < outputs) yield childToken(token, output)
      }
      token.delivery.written.add(`${name}|${token.path}`)
    }
    return { kind: 'flatMap', name, fn: fn as never, onFailure: this.policy() }
  }

  call(order: Order, more: Partial<CallPlan> = {}): CallPlan {
    const draw = this.#draw
    const name = this.#name('call')
    return {
      kind: 'call',
      name,
      fn: (() => undefined) as never,
      order,
      ...limitsOf(name, draw.logUniform(1, 64)),
      rate: draw.chance(0.3) ? { perSecond: draw.logUniform(5, 2000), burst: draw.int(1, 20) } : null,
      timeoutMs: Math.round(draw.logUniform(50, 3000)),
      retry: this.retry(),
      onFailure: this.policy(),
      queueRecords: Math.round(draw.logUniform(1, 300)),
      ...more,
    }
  }

  batch(more: Partial<BatchPlan> = {}): BatchPlan {
    const draw = this.#draw
    return {
      kind: 'batch',
      name: this.#name('batch'),
      records: draw.int(1, 60),
      bytes: Math.round(draw.logUniform(500, 100_000)),
      withinMs: draw.int(0, 200),
      ...more,
    }
  }

  retry(): RetryPlan {
    const draw = this.#draw
    const backoff = { baseMs: draw.int(1, 100), maxMs: draw.int(100, 2000), factor: 2 }
    return { attempts: draw.int(1, 5), backoff, budget: draw.logUniform(0.05, 1) }
  }

  policy(): FailurePolicy {
    const kind = this.#draw.pick(this.#shape.policies)
    return kind === 'deadLetter' ? { kind, sink: this.#draw.pick(this.#letters) } : { kind }
  }

  letters(): FailurePolicy {
    return { kind: 'deadLetter', sink: this.#letters[0] as Sink<DeadLetter> }
  }

  order(): Order {
    return this.#shape.ordered ? this.#draw.pick(['none', 'key', 'key', 'partition'] as const) : 'none'
  }

  /** A synchronous function that fails for what is poisonous to this stage. */
  #guarded(name: string, work: (token: Token, value: Value) => unknown): (value: Value) => unknown {
    return (value) => {
      const tokens = tokensOf(value)
      const { fates } = this.#behaviour
      this.#behaviour.touched(name, tokens)
      if (tokens.some((token) => fates.isPoison(name, token))) {
        for (const { delivery, path } of tokens) delivery.failed(name, path, 'final', 1)
        throw reject(`poison at ${name}`)
      }
      return work(tokens[0] as Token, value)
    }
  }

  #name(kind: string): string {
    this.#names += 1
    return `${kind}-${this.#names}`
  }
}

const ADAPTIVE = { kind: 'adaptive', limiter: null, initial: null, min: 1, max: 8, target: 1 } as const

/** From the one figure, so that the rest of a seed's topology stays what it was: fixed or adaptive, shared, by tenant. */
function limitsOf(name: string, figure: number): Pick<CallPlan, 'concurrency' | 'limitKey'> {
  const most = Math.round(figure)
  const chance = (of: string): number => chanceOf(of, name, figure)
  const limitKey = chance('tenants') < 0.2 ? (tenantOf as CallPlan['limitKey']) : null
  if (chance('kind') < 0.5) return { concurrency: { kind: 'fixed', limit: most }, limitKey }
  if (chance('shared') < 0.2) return { concurrency: { ...ADAPTIVE, limiter: 'shared' }, limitKey }
  const min = Math.min(most, 1 + Math.floor(chance('min') ** 4 * most))
  const initial = chance('initial') < 0.5 ? most : null
  return { concurrency: { ...ADAPTIVE, initial, min, max: most, target: 0.5 + chance('target') }, limitKey }
}
