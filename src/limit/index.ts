/**
 * `headgate/limit`: flow control around any call, without the runtime. `limiter()` for calls that return promises,
 * `limitInterceptor()` for undici, and beside them what they are made of: the pure `Controller`, for a loop of one's
 * own, and the readers of the headers that it is fed with.
 */
export type { BreakerState } from '../control/breaker.ts'
export { Controller, type ControllerSnapshot } from '../control/controller.ts'
export type { ControllerOptions } from '../control/controller-options.ts'
export type { Learned } from '../control/learned.ts'
export type { Phase } from '../control/limit-state.ts'
export type { AttemptOutcome, GateReason, Permit } from '../control/limiter.ts'
export { retryAfterMs } from '../model/http.ts'
export { type RateLimitFigures, rateLimitOf } from '../model/rate-limit.ts'
export { type KeySnapshot, type Limit, type LimitSnapshot, limiter } from './limiter.ts'
export type { LearnedKey, LimitCallOptions, LimiterOptions, LimitLearned } from './options.ts'
export { type Ended, outcomeOf } from './outcome.ts'
export { type InterceptorOptions, limitInterceptor } from './undici.ts'
