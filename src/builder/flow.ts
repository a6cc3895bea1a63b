/**
 * The typed face of a flow under construction: each method appends a stage and gives a new flow whose type is what
 * the stage passes on. `pipeline()` and `.route()` hand flows out. Invariant: a flow never changes, so one may be kept
 * and continued in two ways.
 */
import type { Sink } from '../model/connector.ts'
import type { FlatMapPlan, FlowPlan, StagePlan, SyncStagePlan } from '../model/plan.ts'
import type { RecordInfo } from '../model/record.ts'
import type { CallHandler, CallReturns, MapReturns, SyncHandler, TapReturns } from './handler-types.ts'
import { appended, type Line, stricter } from './line.ts'
import type { BatchOptions, CallOptions, RouteOptions, SinkOptions, StageOptions } from './option-types.ts'
import { makeRoute } from './route.ts'
import { makeBatch, makeCall, makeSink, makeSync, type SyncArguments } from './stages.ts'

/** Closes a flow: the pipeline itself at the top, a branch inside a route. */
export type Finish<End> = (flow: FlowPlan, line: Line) => End

/** Recognizes a flow that was never given a sink, so that the message can say so. */
export const UNFINISHED: unique symbol = Symbol.for('headgate.unfinished') as never

/** A flow of a route's branch that has its sink. */
export class Branch {
  readonly flow: FlowPlan

  constructor(flow: FlowPlan) {
    this.flow = flow
  }
}

/** The stages that any flow can be continued with. `T` is what the next stage sees. */
class Stages<T, End> {
  protected readonly line: Line
  protected readonly finish: Finish<End>
  readonly [UNFINISHED]: string

  constructor(line: Line, finish: Finish<End>) {
    this.line = line
    this.finish = finish
    this[UNFINISHED] = line.scope.pipeline
  }

  /** Passes on what `fn` makes of the value. Synchronous; must not return undefined. */
  map<R>(fn: SyncHandler<T, R> & MapReturns<R>, options?: StageOptions): Flow<R, End>
  map<R>(name: string, fn: SyncHandler<T, R> & MapReturns<R>, options?: StageOptions): Flow<R, End>
  map(...given: SyncArguments): Flow<never, End> {
    return this.#sync('map', given)
  }

  /** Leaves out values for which `fn` is false; they count as filtered. A type guard narrows the type. */
  filter<S extends T>(fn: (value: T, record: RecordInfo) => value is S, options?: StageOptions): Flow<S, End>
  filter<S extends T>(
    name: string,
    fn: (value: T, record: RecordInfo) => value is S,
    options?: StageOptions,
  ): Flow<S, End>
  filter(fn: SyncHandler<T, boolean>, options?: StageOptions): Flow<T, End>
  filter(name: string, fn: SyncHandler<T, boolean>, options?: StageOptions): Flow<T, End>
  filter(...given: SyncArguments): Flow<never, End> {
    return this.#sync('filter', given)
  }

  /** Looks at the value and passes it on as it is. Synchronous. */
  tap<R>(fn: SyncHandler<T, R> & TapReturns<R>, options?: StageOptions): Flow<T, End>
  tap<R>(name: string, fn: SyncHandler<T, R> & TapReturns<R>, options?: StageOptions): Flow<T, End>
  tap(...given: SyncArguments): Flow<never, End> {
    return this.#sync('tap', given)
  }

  /** Passes on every value of the iterable that `fn` makes; the record is done when all of them are. */
  flatMap<R>(fn: SyncHandler<T, Iterable<R>>, options?: StageOptions): Flow<R, End>
  flatMap<R>(name: string, fn: SyncHandler<T, Iterable<R>>, options?: StageOptions): Flow<R, End>
  flatMap(...given: SyncArguments): Flow<never, End> {
    return this.#sync('flatMap', given)
  }

  /** Calls something outside, with bounded concurrency, a timeout and retries, and passes on what it returns. */
  call<R>(name: string, handler: CallHandler<T, R> & CallReturns<R>, options?: CallOptions<T>): Flow<Awaited<R>, End> {
    const call = makeCall(this.line, name, handler, options)
    return new Flow({ ...appended(this.line, call), order: stricter(this.line.order, call.order) }, this.finish)
  }

  #sync(kind: SyncStagePlan['kind'] | FlatMapPlan['kind'], given: SyncArguments): Flow<never, End> {
    return new Flow(appended(this.line, makeSync(this.line, kind, given)), this.finish)
  }

  protected end(sink: unknown, options: SinkOptions | undefined): End {
    const end = makeSink(this.line, sink, options)
    return this.finish({ stages: this.line.stages, end }, this.line)
  }
}

export class Flow<T, End> extends Stages<T, End> {
  /** Gathers values; the next stage sees `readonly T[]`, and a sink directly behind writes each batch as one write. */
  batch(options?: BatchOptions): Batched<T, End> {
    const batch: StagePlan = makeBatch(this.line, options)
    return new Batched({ ...appended(this.line, batch), batched: true }, this.finish)
  }

  /** Sends each value down the branch that `select` names. Each branch is a flow with a sink of its own. */
  route<const B extends string>(
    name: string,
    select: SyncHandler<T, NoInfer<B>>,
    branches: { readonly [K in B]: (flow: Flow<T, Branch>) => Branch },
    options?: RouteOptions,
  ): End {
    const start = (line: Line): Flow<T, Branch> => new Flow(line, (flow) => new Branch(flow))
    const end = makeRoute(this.line, { name, select, branches, options }, (build, line) => {
      const built = build(start(line))
      return built instanceof Branch ? built.flow : null
    })
    return this.finish({ stages: this.line.stages, end }, this.line)
  }

  /** Writes each value to `sink` and ends the flow. */
  to(sink: Sink<T>, options?: SinkOptions): End {
    return this.end(sink, options)
  }
}

/** What `.batch()` gives: stages see whole batches, a sink writes each as one write of its values. */
export class Batched<T, End> extends Stages<readonly T[], End> {
  /** Writes each batch to `sink` as one write and ends the flow. */
  to(sink: Sink<T>, options?: SinkOptions): End {
    return this.end(sink, options)
  }
}
