/**
 * Sampled traces: a pipeline whose calls and writes make spans for some of their records, named by the messaging conventions of OpenTelemetry.
 * The plan is wrapped before the start, so a pipeline that is not traced pays nothing, and of one that is, a record that is not sampled pays a
 * look at its headers. No span is made active unless asked for: an AsyncLocalStorage in use slows every promise.
 */
import type { Sink } from '../model/connector.ts'
import { classify } from '../model/errors.ts'
import { OptionCheck, show } from '../model/option.ts'
import type { CallContext, CallPlan, FlowPlan, Plan } from '../model/plan.ts'
import type { RecordInfo } from '../model/record.ts'
import {
  type ContextLike,
  FLAG_SAMPLED,
  KIND_CONSUMER,
  KIND_PRODUCER,
  loadApi,
  type OtelApi,
  type SpanLike,
  STATUS_ERROR,
  type TracerLike,
} from './otel-api.ts'
import { carriedBy, contextOf, remember } from './trace-headers.ts'

export interface TraceOptions {
  /** Default: the tracer `headgate` of the global provider. */
  readonly tracer?: TracerLike
  /**
   * Of the records that came without a trace, and of the writes, this share is traced; default 0.01, range 0–1. Raise to see rare
   * things, lower when the collector or the process cannot keep up.
   */
  readonly sampleRatio?: number
  /** Records whose producer sampled its trace are traced too; default true. */
  readonly followParents?: boolean
  /** The most spans that are begun a second, whatever producers sampled; default 100, range 1–100,000. */
  readonly spansPerSecond?: number
  /** What `messaging.system` says: `kafka`, `rabbitmq` …; default `headgate`. */
  readonly system?: string
  /**
   * The span of a sampled attempt is the active one within its handler, so that instrumented clients add theirs below it; default false.
   * It costs only where a context manager is registered, and then every promise of the process pays for it.
   */
  readonly activate?: boolean
}

/** The same pipeline, traced. Throws `HG_OPTION_INVALID` for a wrong option, and without `@opentelemetry/api`. */
export function traced<P extends { readonly plan: Plan }>(pipeline: P, options: TraceOptions = {}): P {
  const tracing = new Tracing(options)
  return Object.create(pipeline, { plan: { value: tracing.plan(pipeline.plan), enumerable: true } }) as P
}

class Tracing {
  readonly #api: OtelApi
  readonly #tracer: TracerLike
  readonly #everyNth: number
  readonly #follows: boolean
  readonly #spansPerSecond: number
  readonly #system: string
  readonly #activates: boolean
  /** The first record and the first write are sampled, so that a short run shows something. */
  #calls = 0
  #writes = 0
  #second = 0
  #spans = 0

  constructor(options: TraceOptions) {
    const check = new OptionCheck('traced', options, {
      tracer: true,
      sampleRatio: true,
      followParents: true,
      spansPerSecond: true,
      system: true,
      activate: true,
    })
    const { sampleRatio = 0.01, followParents = true, system = 'headgate', activate = false } = options
    if (typeof sampleRatio !== 'number' || !(sampleRatio >= 0 && sampleRatio <= 1)) {
      throw check.refusal('sampleRatio', `a number from 0 to 1, not ${show(sampleRatio)}`)
    }
    check.booleans('followParents', 'activate')
    check.texts('system')
    this.#spansPerSecond = check.integer('spansPerSecond', 100, { min: 1, max: 100_000, unit: 'spans per second' })
    this.#everyNth = sampleRatio === 0 ? Number.POSITIVE_INFINITY : Math.round(1 / sampleRatio)
    this.#follows = followParents
    this.#system = system
    this.#activates = activate
    this.#api = loadApi('traced')
    this.#tracer = options.tracer ?? this.#api.trace.getTracer('headgate')
  }

  plan(plan: Plan): Plan {
    return { ...plan, flow: this.#flow(plan.flow) }
  }

  #flow(flow: FlowPlan): FlowPlan {
    const stages = flow.stages.map((stage) => (stage.kind === 'call' ? this.#call(stage) : stage))
    const { end } = flow
    if (end.kind === 'sink') return { stages, end: { ...end, sink: this.#sink(end.sink) } }
    const branches = new Map([...end.branches].map(([name, branch]) => [name, this.#flow(branch)]))
    return { stages, end: { ...end, branches } }
  }

  // ── Calls ────────────────────────────────────────────────────────────────

  #call(plan: CallPlan): CallPlan {
    const run = plan.fn as (value: unknown, context: CallContext) => unknown
    const fn = (value: unknown, context: CallContext): unknown => {
      const parent = this.#sample(context)
      if (parent === null) return run(value, context)
      return this.#attempt(plan.name, context, parent, () => run(value, context))
    }
    return { ...plan, fn: fn as CallPlan['fn'] }
  }

  /** The context that the span of this attempt belongs below, or null when it is to have none. */
  #sample(context: CallContext): ContextLike | null {
    const turn = this.#isTurn(this.#calls++)
    if (!turn && !this.#follows) return null
    const carried = carriedBy(context.record)
    const { api, sampled } = { api: this.#api, sampled: isSampled(carried['traceparent']) }
    // A producer that decided against sampling has decided for all that follows.
    if (carried['traceparent'] === undefined ? !turn : !(sampled && this.#follows)) return null
    if (!this.#mayBegin()) return null
    return api.propagation.extract(api.ROOT_CONTEXT as never, carried)
  }

  #attempt(stage: string, context: CallContext, parent: ContextLike, run: () => unknown): unknown {
    const { record, attempt } = context
    const { name, partition } = destinationOf(record)
    const span = this.#tracer.startSpan(
      `process ${name}`,
      {
        kind: KIND_CONSUMER,
        attributes: {
          'messaging.system': this.#system,
          'messaging.operation.name': 'process',
          'messaging.operation.type': 'process',
          'messaging.destination.name': name,
          'messaging.destination.partition.id': partition,
          'messaging.message.envelope.size': record.bytes,
          [this.#system === 'kafka' ? 'messaging.kafka.offset' : 'headgate.record.offset']: record.offset,
          'headgate.stage.name': stage,
          'headgate.attempt': attempt,
        },
      },
      parent as never,
    )
    const own = this.#api.trace.setSpan(parent as never, span as never)
    remember(record, this.#api, own)
    let result: unknown
    try {
      result = this.#activates ? this.#api.context.with(own as never, run) : run()
    } catch (thrown) {
      failed(span, thrown)
      throw thrown
    }
    endWith(span, result)
    return result
  }

  // ── Writes ───────────────────────────────────────────────────────────────

  /** A sink of its own: a connector may keep private fields, which another object cannot reach. */
  #sink(sink: Sink<never>): Sink<never> {
    return {
      name: sink.name,
      capabilities: sink.capabilities,
      open: (context, signal) => sink.open(context, signal),
      close: (signal) => sink.close(signal),
      write: (batch, signal) => {
        if (!this.#isTurn(this.#writes++) || !this.#mayBegin()) return sink.write(batch, signal)
        const span = this.#tracer.startSpan(`send ${sink.name}`, {
          kind: KIND_PRODUCER,
          root: true,
          links: batch.origins.slice(0, MOST_LINKS).flatMap((origin) => this.#linkTo(origin)),
          attributes: {
            'messaging.system': this.#system,
            'messaging.operation.name': 'send',
            'messaging.operation.type': 'send',
            'messaging.destination.name': sink.name,
            'messaging.batch.message_count': batch.values.length,
          },
        })
        const written = sink.write(batch, signal)
        endWith(span, written)
        return written
      },
    }
  }

  #linkTo(origin: RecordInfo): { context: NonNullable<ReturnType<OtelApi['trace']['getSpanContext']>> }[] {
    const { propagation, trace, ROOT_CONTEXT } = this.#api
    const context = contextOf(origin) ?? propagation.extract(ROOT_CONTEXT as never, carriedBy(origin))
    const found = trace.getSpanContext(context as never)
    return found === undefined ? [] : [{ context: found }]
  }

  #isTurn(count: number): boolean {
    return this.#everyNth !== Number.POSITIVE_INFINITY && count % this.#everyNth === 0
  }

  #mayBegin(): boolean {
    const second = Math.floor(performance.now() / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#spans = 0
    }
    this.#spans += 1
    return this.#spans <= this.#spansPerSecond
  }
}

const MOST_LINKS = 32

/** The last two digits of a `traceparent` are flags; the lowest bit says that it is sampled. */
function isSampled(traceparent: string | undefined): boolean {
  const flags = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-([0-9a-f]{2})/.exec(traceparent ?? '')?.[1]
  return flags !== undefined && (Number.parseInt(flags, 16) & FLAG_SAMPLED) !== 0
}

/** `payments/3` → the topic and its partition; a name without a number is both. */
function destinationOf({ partition }: RecordInfo): { name: string; partition: string } {
  const at = partition.lastIndexOf('/')
  return at > 0 ? { name: partition.slice(0, at), partition: partition.slice(at + 1) } : { name: partition, partition }
}

/** Ends the span when the result is there. The result itself is handed on untouched: no promise more on its way. */
function endWith(span: SpanLike, result: unknown): void {
  if (typeof (result as PromiseLike<unknown> | null | undefined)?.then !== 'function') {
    span.end()
    return
  }
  Promise.resolve(result as PromiseLike<unknown>).then(
    () => span.end(),
    (thrown: unknown) => failed(span, thrown),
  )
}

function failed(span: SpanLike, thrown: unknown): void {
  const error = classify(thrown)
  span.setAttribute('error.type', error.code)
  span.recordException(error)
  span.setStatus({ code: STATUS_ERROR, message: error.message })
  span.end()
}
