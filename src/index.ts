/** The public API, on one page. Connectors are entry points of their own: `headgate/memory`, `headgate/log`, `headgate/file`. */
export { expectOk, type HttpListener, type HttpResponse } from './builder/expect-ok.ts'
export type { Batched, Branch, Flow } from './builder/flow.ts'
export { json } from './builder/json.ts'
export type {
  AdmissionOptions,
  BatchOptions,
  CallOptions,
  CommitOptions,
  ExponentialOptions,
  PipelineOptions,
  RateOptions,
  RetryOptions,
  RouteOptions,
  SinkOptions,
  SinkRetryOptions,
  StageOptions,
  TransactionOfPipeline,
} from './builder/option-types.ts'
export { Pipeline, type PipelineStart, pipeline, type SourceGiven, type ValueOf } from './builder/pipeline.ts'
export { adaptive, deadLetter, exponential, fixed, perMinute, perSecond, skip, stop } from './builder/policies.ts'
export { type DoctorOptions, diagnose } from './diagnose/doctor.ts'
export type { Latencies, LatencyCounts } from './engine/histogram.ts'
export type { Limits, PresentLimits, StageLimits } from './engine/limits.ts'
export type * from './model/connector.ts'
export type * from './model/diagnosis.ts'
export { type ErrorCode, HeadgateError, overloaded, reject } from './model/errors.ts'
export { retryAfterMs } from './model/http.ts'
export { parseJson } from './model/json.ts'
export type { Logger } from './model/logger.ts'
export type { BackoffPlan, CallContext, FailurePolicy, Order, Plan, RatePlan } from './model/plan.ts'
export { type RateLimitFigures, rateLimitOf } from './model/rate-limit.ts'
export type { RecordHeaders, RecordInfo, SourceRecord } from './model/record.ts'
export { credential } from './model/secrets.ts'
export { type ShownOptions, shownOptions } from './model/shown-options.ts'
export type * from './model/status.ts'
export type { PartOptions } from './runtime/part-options.ts'
export { type Look, type Running, type StartOptions, start } from './runtime/start.ts'
