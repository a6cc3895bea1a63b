/**
 * `pipeline()`: the beginning and the end of the fluent builder. It checks the pipeline's own options and its sources,
 * and closes the finished flow into a `Pipeline`, which can be started. Invariant: a `Pipeline` holds a complete,
 * checked plan; whatever is wrong was refused before it existed.
 */
import type { Source } from '../model/connector.ts'
import { type ErrorCode, HeadgateError } from '../model/errors.ts'
import { show } from '../model/option.ts'
import type { AdmissionPlan, FailurePolicy, FlowPlan, Plan, SourcePlan } from '../model/plan.ts'
import type { Status } from '../model/status.ts'
import { formatNumber, MIB } from '../model/units.ts'
import { type Running, type StartOptions, start } from '../runtime/start.ts'
import { Flow, UNFINISHED } from './flow.ts'
import { checkLimiters } from './limiters.ts'
import { checkName } from './line.ts'
import type { PipelineOptions } from './option-types.ts'
import { pipelineSchema, sourceSchema } from './pipeline-options.ts'
import { stop } from './policies.ts'
import { parseOptions, refuse } from './problems.ts'
import { entriesOf, isSink, isSource, SOURCE_METHODS } from './recognize.ts'
import { checkSinks } from './sinks.ts'
import { checkTransactions, settleTransaction } from './transactions.ts'

/** The same symbol in every copy of the package, so that the CLI recognizes a pipeline of another copy. */
const PIPELINE: unique symbol = Symbol.for('headgate.pipeline') as never

/** A complete pipeline. Nothing happens until it is started; it can be started more than once, one after another. */
export class Pipeline {
  readonly plan: Plan
  readonly [PIPELINE] = true

  constructor(plan: Plan) {
    this.plan = plan
  }

  get name(): string {
    return this.plan.name
  }

  /** Opens sources and sinks and begins to pull. Resolves once it runs. */
  start(options?: StartOptions): Promise<Running> {
    return start(this.plan, options)
  }

  /** Starts and waits until the sources have ended or it was drained. Throws the error that made it fail. */
  async run(options?: StartOptions): Promise<Status> {
    const running = await this.start(options)
    const status = await running.done
    if (status.error !== null) throw new HeadgateError(status.error.code as ErrorCode, status.error.message)
    return status
  }
}

/** A source, or one with its own say on records that do not decode. */
export type SourceGiven<T = unknown> =
  | Source<T>
  | { readonly source: Source<T>; readonly onFailure?: FailurePolicy | undefined }

/** The type of the values that a source, or a union of sources, delivers. */
export type ValueOf<S> = S extends Source<infer T> ? T : S extends { readonly source: Source<infer T> } ? T : never

/** A pipeline that has no source yet. */
export class PipelineStart {
  readonly #name: string
  readonly #options: ReturnType<typeof parsePipeline>
  readonly [UNFINISHED]: string

  constructor(name: string, options?: PipelineOptions) {
    this.#name = checkName(name, 'pipeline(name)')
    this.#options = parsePipeline(this.#name, options)
    this[UNFINISHED] = this.#name
  }

  /** Where records come from. Several sources are merged; the values are of the union of their types. */
  // biome-ignore lint/suspicious/noExplicitAny: with `unknown` a generic source would be inferred to deliver unknown
  from<const S extends readonly [SourceGiven<any>, ...SourceGiven<any>[]]>(
    ...given: S
  ): Flow<ValueOf<S[number]>, Pipeline> {
    const name = this.#name
    const { onFailure, transaction, ...options } = this.#options
    const sources = makeSources(name, given, onFailure)
    const scope = { pipeline: name, admission: options.admission, onFailure }
    const line = { scope, stages: [], names: decodeNames(sources.length), order: 'none', batched: false } as const
    return new Flow(line, (flow: FlowPlan) => {
      checkSinks(`pipeline '${name}'`, sources, flow)
      checkLimiters(`pipeline '${name}'`, flow)
      if (transaction !== undefined) checkTransactions(`pipeline '${name}'`, sources, flow)
      return new Pipeline({ name, sources, flow, ...options, ...(transaction && { transaction }) })
    })
  }
}

/**
 * Begins a pipeline. Throws `HG_OPTION_INVALID`, as do all methods that follow, with what was expected and what came.
 * @example pipeline('payments').from(source).call('score', score).to(sink)
 */
export function pipeline(name: string, options?: PipelineOptions): PipelineStart {
  return new PipelineStart(name, options)
}

function parsePipeline(name: string, given: PipelineOptions | undefined) {
  const where = `pipeline '${name}'`
  const { onFailure = stop(), delivery, transaction, ...options } = parseOptions(pipelineSchema, given, where)
  const { maxRecordBytes = Math.min(MIB, options.admission.bytes), ...limits } = options.admission
  if (maxRecordBytes > limits.bytes) {
    refuse(
      `${where} › admission.maxRecordBytes: a record of ${formatNumber(maxRecordBytes)} bytes would never be admitted, ` +
        `since admission.bytes is ${formatNumber(limits.bytes)}; lower the one or raise the other`,
    )
  }
  const admission: AdmissionPlan = { ...limits, maxRecordBytes }
  return { ...options, admission, onFailure, transaction: settleTransaction(where, delivery, transaction, given) }
}

function makeSources(name: string, given: readonly unknown[], inherited: FailurePolicy): readonly SourcePlan[] {
  const where = `pipeline '${name}' › from`
  if (given.length === 0) refuse(`${where}: expected at least one source`)
  const names = new Set<string>()
  return given.map((each, index) => {
    const parts: { source?: unknown } = isSource(each) ? { source: each } : Object.fromEntries(entriesOf(each) ?? [])
    const { source = each, ...options } = parts
    if (!isSource(source)) refuse(`${where}: ${notASource(source, index)}`)
    checkName(source.name, `${where}: the source's name`)
    if (source.decode !== undefined && typeof source.decode !== 'function') {
      refuse(`${where} › source '${source.name}': expected decode to be a function, got ${show(source.decode)}`)
    }
    if (names.has(source.name)) {
      refuse(
        `${where}: two sources are named '${source.name}'; give each a name of its own, since progress, metrics and ` +
          `idempotency keys are kept by it`,
      )
    }
    names.add(source.name)
    const { onFailure = inherited } = parseOptions(sourceSchema, options, `${where} › source '${source.name}'`)
    return { source, onFailure }
  })
}

/** The runtime decodes in stages of its own, which have these names in status and metrics. */
function decodeNames(sources: number): ReadonlySet<string> {
  return new Set(sources === 1 ? ['decode'] : Array.from({ length: sources }, (_, index) => `decode-${index + 1}`))
}

function notASource(value: unknown, index: number): string {
  const which = index === 0 ? '' : ` as argument ${index + 1}`
  if (isSink(value)) return `expected a source${which}, got the sink '${value.name}'; sinks belong into .to(…)`
  return `expected a source${which} (an object with name, capabilities, ${SOURCE_METHODS.join(', ')}), got ${show(value)}`
}

/**
 * The plan of whatever a module exports as its pipeline; for the CLI. Throws `HG_OPTION_INVALID` that says what is
 * missing when the value is a pipeline without source or end, or none at all.
 */
export function planOf(value: unknown): Plan {
  if (typeof value === 'object' && value !== null) {
    if (PIPELINE in value && 'plan' in value) return value.plan as Plan
    if (UNFINISHED in value) {
      const missing =
        value instanceof PipelineStart ? 'source: continue with .from(source)' : 'end: finish it with .to(sink)'
      refuse(`pipeline '${String(value[UNFINISHED])}' has no ${missing}`)
    }
  }
  refuse(`expected a pipeline, as pipeline('name').from(source).to(sink) makes it, got ${show(value)}`)
}
