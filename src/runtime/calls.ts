/**
 * Runs call handlers: one `HandlerRun` for each slot, made once and used again, so that an attempt costs a context
 * object and a `then`, and nothing else. The abort controller is made only for a handler that asks for its signal.
 */
import type { Item } from '../engine/item.ts'
import type { Slot } from '../engine/slots.ts'
import { HeadgateError } from '../model/errors.ts'
import type { Logger } from '../model/logger.ts'
import type { CallContext } from '../model/plan.ts'
import type { RecordInfo } from '../model/record.ts'

/** What the handlers need of the runner. */
export interface CallHost {
  readonly pipeline: string
  readonly sourceNames: readonly string[]
  readonly log: Logger
  wallOffsetMs(): number
  /** A handler settled: `slot.threw` and `slot.result` say how. */
  settled(slot: Slot): void
  pooling(slot: Slot, waiting: boolean): void
}

/** Starts the handler of a slot that the engine has filled. */
export function startHandler(host: CallHost, slot: Slot): void {
  const run = (slot.attachment as HandlerRun | null) ?? new HandlerRun(host, slot)
  slot.attachment = run
  run.start()
}

/** Aborts the signal of a slot's handler, if it has asked for one, or as soon as it does. */
export function abortHandler(slot: Slot, reason: 'timeout' | 'fenced' | 'stopped'): void {
  ;(slot.attachment as HandlerRun).abort(reason)
}

const { then } = Promise.prototype

class HandlerRun {
  readonly host: CallHost
  readonly slot: Slot
  /** Of the attempt in progress; null between attempts, and for a handler that takes none. */
  context: AttemptContext | null = null
  readonly #onFulfilled: (value: unknown) => void
  readonly #onRejected: (reason: unknown) => void

  constructor(host: CallHost, slot: Slot) {
    this.host = host
    this.slot = slot
    this.#onFulfilled = (value) => this.#settle(false, value)
    this.#onRejected = (reason) => this.#settle(true, reason)
  }

  start(): void {
    const { stage } = this.slot
    const item = this.slot.item as Item
    this.context = stage.takesContext ? new AttemptContext(this, item) : null
    let result: unknown
    try {
      result = (stage.plan.fn as (value: unknown, context: CallContext | null) => unknown)(item.value, this.context)
    } catch (thrown) {
      this.#settle(true, thrown)
      return
    }
    // The promise's own `then`, whatever a subclass made of it: it calls back once.
    if (result instanceof Promise) void then.call(result, this.#onFulfilled, this.#onRejected)
    else if (isThenable(result)) Promise.resolve(result).then(this.#onFulfilled, this.#onRejected)
    else this.#settle(false, result)
  }

  abort(reason: 'timeout' | 'fenced' | 'stopped'): void {
    this.context?.abort(abortError(reason))
  }

  #settle(threw: boolean, result: unknown): void {
    const { slot } = this
    // The engine gave up on this handler long ago; its slot belongs to nobody.
    if (slot.retired) return
    this.context = null
    slot.threw = threw
    slot.result = result
    this.host.settled(slot)
  }
}

class AttemptContext implements CallContext {
  readonly attempt: number
  readonly #run: HandlerRun
  /** Not the item, which the engine may use for another record once this attempt has ended. */
  readonly #lot: Item['lot']
  readonly #row: number
  #controller: AbortController | null = null
  #aborted: HeadgateError | null = null

  constructor(run: HandlerRun, item: Item) {
    this.#run = run
    this.#lot = item.lot
    this.#row = item.row
    this.attempt = item.attempt
  }

  get record(): RecordInfo {
    return this.#lot.recordAt(this.#row)
  }

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController()
      if (this.#aborted !== null) this.#controller.abort(this.#aborted)
    }
    return this.#controller.signal
  }

  get deadlineMs(): number {
    const { slot, host } = this.#run
    return slot.startedMs + slot.stage.timeoutMs + host.wallOffsetMs()
  }

  get idempotencyKey(): string {
    const { host } = this.#run
    const source = host.sourceNames[this.#lot.partition.sourceIndex]
    return `${host.pipeline}:${source}:${this.record.partition}:${this.record.offset}`
  }

  get log(): Logger {
    return this.#run.host.log
  }

  /** A function of its own, so that a handler may take it out of the context. */
  get heard(): CallContext['heard'] {
    return (figures) => {
      const { slot, context } = this.#run
      if (context === this) slot.heard = figures
    }
  }

  /** A function of its own, so that a handler may take it out of the context. */
  get pool(): CallContext['pool'] {
    return async (acquire) => {
      this.#tellPooling(true)
      try {
        return await acquire()
      } finally {
        this.#tellPooling(false)
      }
    }
  }

  abort(reason: HeadgateError): void {
    this.#aborted = reason
    this.#controller?.abort(reason)
  }

  #tellPooling(waiting: boolean): void {
    const { host, slot, context } = this.#run
    if (context === this) host.pooling(slot, waiting)
  }
}

function abortError(reason: 'timeout' | 'fenced' | 'stopped'): HeadgateError {
  if (reason === 'timeout') return new HeadgateError('HG_TIMEOUT', 'the attempt is past its deadline')
  if (reason === 'fenced') return new HeadgateError('HG_FENCED', 'the partition is no longer assigned here')
  return new HeadgateError('HG_TIMEOUT', 'the pipeline is stopping')
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function'
}
