/**
 * An interceptor for undici that sends every request of a dispatcher through a limiter, a key for each origin. undici is
 * not imported: the shapes below are those of its handlers since version 7, and the older ones. Invariant: a handler
 * sees exactly what it would see without it, later.
 */
import { HeadgateError } from '../model/errors.ts'
import { show } from '../model/option.ts'
import type { Limit } from './limiter.ts'

export interface InterceptorOptions {
  /** The key of a request; undefined: that of requests without one. Default: its origin. */
  readonly key?: ((request: DispatchedRequest) => string | undefined) | undefined
  /**
   * When a request counts as ended: once its answer has begun (`headers`, as with `fetch`) or once all of it has come
   * (`body`, for answers that take the downstream's time until their end). Default `headers`.
   */
  readonly until?: 'headers' | 'body' | undefined
}

/** What is looked at of a request. */
export interface DispatchedRequest {
  readonly origin?: unknown
  readonly path?: unknown
  readonly method?: unknown
  readonly headers?: unknown
  readonly signal?: unknown
}

type Dispatch<R, H> = (request: R, handler: H) => boolean
type Step = (...given: readonly unknown[]) => unknown
/** A handler, of which nothing is known but that its steps are methods. */
type Handler = Readonly<Record<PropertyKey, unknown>>

/** How a request ended, for `classify` and the limiter: the answer as `statusCode` and `headers`, or the error. */
interface Answer {
  readonly statusCode: number
  readonly headers: unknown
}

/** For `dispatcher.compose(…)`. Place it before `interceptors.retry()`, so that each attempt goes through it. */
export function limitInterceptor(
  limit: Limit,
  options: InterceptorOptions = {},
): <R extends object, H extends object>(dispatch: Dispatch<R, H>) => Dispatch<R, H> {
  if (typeof limit !== 'function') {
    throw new HeadgateError('HG_OPTION_INVALID', 'limitInterceptor: expected what `limiter()` made')
  }
  const { key: keyOf = originOf, until = 'headers' } = options
  if (until !== 'headers' && until !== 'body') {
    throw new HeadgateError(
      'HG_OPTION_INVALID',
      `limitInterceptor › until: expected 'headers' or 'body', got ${show(until)}`,
    )
  }
  return (dispatch) => (request, handler) => {
    const { signal } = request as DispatchedRequest
    let made = false
    let answered: boolean | undefined
    const call = (): Promise<Answer> =>
      new Promise((resolve, reject) => {
        made = true
        answered = dispatch(request, tapped(handler as Handler, until, resolve, reject) as typeof handler)
      })
    limit(call, {
      key: keyOf(request),
      signal: isSignal(signal) ? signal : undefined,
    }).then(undefined, (error: unknown) => {
      // Once the request is made, its handler hears of errors from undici.
      if (!made || answered === undefined) fail(handler as Handler, error)
    })
    // `true`: it may go on dispatching. What has to wait waits in the limiter.
    return answered ?? true
  }
}

function originOf({ origin }: DispatchedRequest): string | undefined {
  return origin instanceof URL ? origin.origin : typeof origin === 'string' ? origin : undefined
}

/** undici also takes event emitters for signals; those end a request only once it is made. */
function isSignal(signal: unknown): signal is AbortSignal {
  return typeof (signal as Partial<AbortSignal> | null | undefined)?.throwIfAborted === 'function'
}

/** The steps that a handler of the newer kind may lack, and that are listened to even so. */
const OPTIONAL = new Set<PropertyKey>(['onResponseStart', 'onResponseEnd'])

/** The same handler, listened to. Steps have another name in each kind of handler, and each keeps the kind it is. */
function tapped(
  handler: Handler,
  until: 'headers' | 'body',
  resolve: (answer: Answer) => void,
  reject: (error: unknown) => void,
): Handler {
  let answer: Answer = { statusCode: 0, headers: null }
  const began = (statusCode: unknown, headers: unknown): void => {
    // 100 to 199 come ahead of the answer.
    if (typeof statusCode !== 'number' || statusCode < 200) return
    answer = { statusCode, headers }
    if (until === 'headers') resolve(answer)
  }
  const taps: Readonly<Record<string, Step>> = {
    onResponseStart: (_controller, statusCode, headers) => began(statusCode, headers),
    onHeaders: (statusCode, headers) => began(statusCode, headers),
    onRequestUpgrade: (_controller, statusCode, headers) => resolve({ statusCode: statusCode as number, headers }),
    onUpgrade: (statusCode, headers) => resolve({ statusCode: statusCode as number, headers }),
    onResponseEnd: () => resolve(answer),
    onComplete: () => resolve(answer),
    onResponseError: (_controller, error) => reject(error),
    onError: (error) => reject(error),
  }
  return new Proxy(handler, {
    get: (target, name) => {
      const step: unknown = Reflect.get(target, name, target)
      const tap = typeof name === 'string' && Object.hasOwn(taps, name) ? taps[name] : undefined
      if (step === undefined && OPTIONAL.has(name) && typeof target['onRequestStart'] === 'function') return tap
      if (typeof step !== 'function') return step
      return (...given: readonly unknown[]): unknown => {
        tap?.(...given)
        return Reflect.apply(step, target, given)
      }
    },
  })
}

/** The request was never made: waiting was ended by its signal, or refused. */
function fail(handler: Handler, error: unknown): void {
  if (typeof handler['onResponseError'] === 'function') handler['onResponseError'](null, error)
  else if (typeof handler['onError'] === 'function') handler['onError'](error)
}
