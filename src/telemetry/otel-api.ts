/**
 * What Headgate uses of `@opentelemetry/api`, which is an optional peer: loaded only when somebody asks for it. The shapes are written out here
 * so that the declarations of `headgate/telemetry` can be read where it is not installed; a test holds them against the real ones.
 */
import { createRequire } from 'node:module'
import { HeadgateError } from '../model/errors.ts'

export type Attributes = Readonly<Record<string, string | number | boolean>>

export interface MeterLike {
  createObservableCounter(name: string, options?: { description?: string; unit?: string }): object
  createObservableGauge(name: string, options?: { description?: string; unit?: string }): object
  addBatchObservableCallback(callback: (result: ResultLike) => void, observables: never[]): void
  removeBatchObservableCallback(callback: (result: ResultLike) => void, observables: never[]): void
}

export interface ResultLike {
  observe(instrument: never, value: number, attributes?: Attributes): void
}

export interface SpanContextLike {
  readonly traceId: string
  readonly spanId: string
  readonly traceFlags: number
}

export interface SpanLike {
  spanContext(): SpanContextLike
  setAttribute(name: string, value: string | number): unknown
  setStatus(status: { code: number; message?: string }): unknown
  recordException(exception: Error): void
  end(): void
}

export interface SpanOptionsLike {
  readonly kind?: number
  readonly attributes?: Attributes
  readonly links?: { context: SpanContextLike }[]
  readonly root?: boolean
}

export interface TracerLike {
  startSpan(name: string, options?: SpanOptionsLike, context?: never): SpanLike
}

/** Opaque: made by the API and handed back to it. */
export type ContextLike = object

export interface OtelApi {
  readonly metrics: { getMeter(name: string): MeterLike }
  readonly trace: {
    getTracer(name: string): TracerLike
    setSpan(context: never, span: never): ContextLike
    getSpanContext(context: never): SpanContextLike | undefined
  }
  readonly propagation: {
    extract(context: never, carrier: Readonly<Record<string, string>>): ContextLike
    inject(context: never, carrier: Record<string, string>): void
  }
  readonly context: { with<R>(context: never, run: () => R): R }
  readonly ROOT_CONTEXT: ContextLike
}

export const KIND_PRODUCER = 3
export const KIND_CONSUMER = 4
export const STATUS_ERROR = 2
export const FLAG_SAMPLED = 1

/** Throws `HG_OPTION_INVALID` with the install command when the package is not there. */
export function loadApi(what: string): OtelApi {
  try {
    return createRequire(import.meta.url)('@opentelemetry/api') as OtelApi
  } catch (thrown) {
    throw new HeadgateError(
      'HG_OPTION_INVALID',
      `${what} needs the package @opentelemetry/api: npm install @opentelemetry/api`,
      { cause: thrown },
    )
  }
}
