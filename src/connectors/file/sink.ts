/**
 * Writes each value as a line of a file, or to standard output. Invariant: a record counts as written only when its
 * line is in the file and synced, and a failed write leaves nothing of itself behind.
 */
import type {
  Sink,
  SinkBatch,
  SinkCapabilities,
  SinkContext,
  WriteOutcome,
  WriteResult,
} from '../../model/connector.ts'
import { describe, HeadgateError, reject } from '../../model/errors.ts'
import { OptionCheck } from '../../model/option.ts'
import type { RecordInfo } from '../../model/record.ts'
import { shownOptions } from '../../model/shown-options.ts'
import { pathOption } from './option.ts'
import { type Output, openFile, StreamOutput } from './output.ts'

export interface FileSinkOptions<T = unknown> {
  /** The file to write; `-` or `stdout` for standard output. It is created; its directory must exist. */
  readonly path: string
  /** Default: the path, or `stdout`. */
  readonly name?: string
  /** Turns a value into a line, without line ends; default: JSON. A value for which it throws is rejected. */
  readonly encode?: (value: T, origin: RecordInfo) => string | Uint8Array
  /** Default true. False: what the file holds is removed when the sink opens. */
  readonly append?: boolean
  /**
   * `batch` (default) syncs every write to the disk before it counts as written. `none` leaves that to the operating
   * system: faster, and lost when the machine (not only the process) crashes.
   */
  readonly fsync?: 'batch' | 'none'
}

const WRITTEN: WriteOutcome = { kind: 'written' }

export class FileSink<T = unknown> implements Sink<T> {
  readonly name: string
  readonly capabilities: SinkCapabilities = {
    maxBatchRecords: 10_000,
    maxInFlightWrites: 1,
    idempotent: false,
    atomic: false,
  }
  readonly shownOptions: Sink<T>['shownOptions']
  readonly #path: string
  readonly #isStdout: boolean
  readonly #encode: (value: T, origin: RecordInfo) => string | Uint8Array
  readonly #append: boolean
  readonly #sync: boolean
  #output: Output | null = null
  #writing: Promise<unknown> = Promise.resolve()

  constructor(options: FileSinkOptions<T>) {
    const check = new OptionCheck('file.sink', options, {
      path: true,
      name: true,
      encode: true,
      append: true,
      fsync: true,
    })
    check.texts('name')
    check.functions('encode')
    check.booleans('append')
    this.#path = pathOption(check, 'path', options.path)
    this.#isStdout = this.#path === '-' || this.#path === 'stdout'
    this.#append = options.append ?? true
    const fsync = options.fsync ?? 'batch'
    if (fsync !== 'batch' && fsync !== 'none') throw check.refusal('fsync', "'batch' or 'none'")
    this.#sync = fsync === 'batch'
    this.#encode = options.encode ?? encodeJson
    this.shownOptions = shownOptions({ ...options, append: this.#append, fsync })
    this.name = options.name ?? (this.#isStdout ? 'stdout' : this.#path)
  }

  /** A torn last line, which a crash leaves, is cut off with a warning. Throws `HG_STORAGE`. */
  async open({ log }: SinkContext): Promise<void> {
    if (this.#output) throw new HeadgateError('HG_INVARIANT', `sink ${this.name} is open already`)
    this.#output = this.#isStdout
      ? new StreamOutput('standard output', process.stdout)
      : await openFile(this.#path, this.#append, this.#sync, log)
  }

  write(batch: SinkBatch<T>, signal: AbortSignal): Promise<WriteResult> {
    const written = this.#writing.then(() => this.#write(batch, signal))
    this.#writing = written.catch(() => {})
    return written
  }

  async #write(batch: SinkBatch<T>, signal: AbortSignal): Promise<WriteResult> {
    signal.throwIfAborted()
    if (!this.#output) throw new HeadgateError('HG_INVARIANT', `sink ${this.name} is not open`)
    const lines: Uint8Array[] = []
    const outcomes = batch.values.map((value, at): WriteOutcome => {
      try {
        lines.push(...this.#line(value, batch.origins[at] as RecordInfo))
        return WRITTEN
      } catch (error) {
        return { kind: 'rejected', error }
      }
    })
    if (lines.length > 0) await this.#output.write(Buffer.concat(lines), signal)
    return outcomes.every((outcome) => outcome === WRITTEN) ? 'written' : outcomes
  }

  #line(value: T, origin: RecordInfo): [Uint8Array, Uint8Array] {
    let encoded: string | Uint8Array
    try {
      encoded = this.#encode(value, origin)
    } catch (cause) {
      throw reject(`it cannot be encoded: ${describe(cause)}`, { cause })
    }
    const line = typeof encoded === 'string' ? Buffer.from(encoded) : encoded
    if (!(line instanceof Uint8Array)) throw reject(`it was encoded to ${typeof line}, not to text or bytes`)
    if (line.includes(LF)) throw reject('its encoded form contains a line end, and would become two lines')
    return [line, LINE_END]
  }

  async close(): Promise<void> {
    const output = this.#output
    this.#output = null
    await this.#writing
    await output?.close()
  }
}

const LF = 0x0a
const LINE_END = Uint8Array.of(LF)

function encodeJson(value: unknown): string {
  const text = JSON.stringify(value) as string | undefined
  if (text === undefined) throw new TypeError(`JSON has no form for ${typeof value}`)
  return text
}
