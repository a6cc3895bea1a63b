/**
 * The only way to write: steps run one after another inside LMDB transactions, and steps that arrive while one is
 * being committed share the next. Appends, commits of progress and trims all come through `write`. Invariant: a step's
 * promise resolves only after its transaction is on the disk, and a step that throws has written nothing.
 */
import { HeadgateError, overloaded } from '../../model/errors.ts'
import { formatBytes, MIB } from '../../model/units.ts'
import type { Environment } from './environment.ts'
import { isDiskFull, shortWrite, storageError } from './storage-error.ts'
import type { WritePoint } from './write-point.ts'

/** Bytes that may wait for their transaction; more is refused as overload, so that a fast caller cannot fill memory. */
const WAITING_BYTES = 64 * MIB
/** Bytes that share a transaction. */
const GROUP_BYTES = 8 * MIB

interface Step {
  readonly run: () => unknown
  readonly bytes: number
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
  result: unknown
  refusal: HeadgateError | null
  /** Its transaction begins: it can no longer be taken back. */
  onBegin: (() => void) | null
}

export class Writer {
  readonly #root: Environment
  readonly #directory: string
  readonly #onPoint: ((point: WritePoint) => void) | undefined
  #waiting: Step[] = []
  #waitingBytes = 0
  #running: Promise<void> | null = null
  #failure: HeadgateError | null = null
  #isGivenUp = false
  #closed = false

  constructor(root: Environment, directory: string, onPoint: ((point: WritePoint) => void) | undefined) {
    this.#root = root
    this.#directory = directory
    this.#onPoint = onPoint
  }

  /** Called from inside steps, between two puts. */
  point(point: WritePoint): void {
    this.#onPoint?.(point)
  }

  /**
   * Runs `run` inside a write transaction and resolves with what it returned, once that is durable. It may be run
   * again when the transaction failed, so it must only write to the log. To refuse, it throws a HeadgateError before
   * its first put. `signal` takes a step back that has not begun.
   */
  write<T>(run: () => T, bytes = 0, signal?: AbortSignal): Promise<T> {
    if (this.#failure) return Promise.reject(this.#failure)
    if (this.#closed)
      return Promise.reject(new HeadgateError('HG_STORAGE', 'The log is closed: open it again to write'))
    if (this.#waitingBytes > 0 && this.#waitingBytes + bytes > WAITING_BYTES) {
      const waiting = formatBytes(this.#waitingBytes)
      return Promise.reject(overloaded(`${waiting} wait to be written to the log: wait for earlier appends first`))
    }
    return new Promise<T>((resolve, reject) => {
      const step: Step = {
        run,
        bytes,
        resolve: resolve as Step['resolve'],
        reject,
        result: undefined,
        refusal: null,
        onBegin: null,
      }
      this.#waiting.push(step)
      this.#waitingBytes += bytes
      if (signal) this.#takeBackOnAbort(step, signal)
      this.point('queued')
      this.#running ??= this.#run()
    })
  }

  /** Writes what waits, then refuses. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#running
  }

  /** Throws once LMDB has given up on the file: then reads end in errors of its own. */
  checkReadable(): void {
    if (this.#isGivenUp) throw this.#failure
  }

  /** Until its transaction begins. */
  #takeBackOnAbort(step: Step, signal: AbortSignal): void {
    const takeBack = (): void => {
      this.#waiting.splice(this.#waiting.indexOf(step), 1)
      this.#waitingBytes -= step.bytes
      step.reject(signal.reason)
    }
    signal.addEventListener('abort', takeBack, { once: true })
    step.onBegin = () => signal.removeEventListener('abort', takeBack)
  }

  async #run(): Promise<void> {
    await Promise.resolve() // callers of the same tick share the first transaction
    while (this.#waiting.length > 0) await this.#commit(this.#nextGroup())
    this.#running = null
  }

  #nextGroup(): Step[] {
    let bytes = 0
    let count = 0
    while (count < this.#waiting.length && (count === 0 || bytes < GROUP_BYTES)) {
      bytes += (this.#waiting[count] as Step).bytes
      count += 1
    }
    this.#waitingBytes -= bytes
    const group = this.#waiting.splice(0, count)
    for (const step of group) step.onBegin?.()
    return group
  }

  async #commit(group: readonly Step[]): Promise<void> {
    if (this.#failure) {
      for (const step of group) step.reject(this.#failure)
      return
    }
    try {
      await this.#transaction(group)
    } catch (thrown) {
      await this.#failed(group, await causeOf(thrown))
      return
    }
    this.point('committed')
    for (const step of group) {
      if (step.refusal) step.reject(step.refusal)
      else step.resolve(step.result)
    }
  }

  /** Nothing of the group was stored. A full disk may be tried again; after anything else no write can be trusted. */
  async #failed(group: readonly Step[], cause: unknown): Promise<void> {
    const bytes = group.reduce((sum, step) => sum + step.bytes, 0)
    const error = storageError(
      this.#directory,
      'writing to the log',
      shortWrite(cause, this.#directory, bytes) ?? cause,
    )
    this.#isGivenUp = !this.#isUsable()
    const mayGoOn = isDiskFull(error) && !this.#isGivenUp
    if (!mayGoOn) this.#failure = error
    // Where the whole group did not fit, a small step of it may.
    if (mayGoOn && group.length > 1) for (const step of group) await this.#commit([step])
    else for (const step of group) step.reject(error)
  }

  /** False when LMDB has given up on the file: then a further write would never end. */
  #isUsable(): boolean {
    try {
      this.#root.transactionSync(() => {})
      return true
    } catch {
      return false
    }
  }

  /** A child transaction, because only that is undone as a whole when something in it throws. */
  #transaction(group: readonly Step[]): Promise<void> {
    return this.#root.childTransaction(() => {
      this.point('begin')
      for (const step of group) {
        try {
          step.refusal = null
          step.result = step.run()
        } catch (thrown) {
          if (!(thrown instanceof HeadgateError)) throw thrown
          step.refusal = thrown
        }
      }
      this.point('written')
    })
  }
}

/** LMDB rejects a failed commit with a promise of the reason. */
async function causeOf(thrown: unknown): Promise<unknown> {
  const reason = (thrown as { commitError?: PromiseLike<never> } | null)?.commitError
  if (!reason) return thrown
  try {
    await reason
  } catch (cause) {
    return cause
  }
  return thrown
}
