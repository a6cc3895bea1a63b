/**
 * Lines of a file, or of standard input, as records: the offset is the byte position of the line, so that a restart
 * seeks. Blank lines are no records. Invariant: memory holds one chunk and one line at most, and the progress file
 * never moves back.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type {
  Assignment,
  Decoder,
  PartitionBacklog,
  Position,
  Pulled,
  PullRequest,
  Source,
  SourceCapabilities,
  SourceContext,
} from '../../model/connector.ts'
import { HeadgateError, reject } from '../../model/errors.ts'
import { parseJson } from '../../model/json.ts'
import { OptionCheck } from '../../model/option.ts'
import { NO_HEADERS, type RecordInfo, type SourceRecord } from '../../model/record.ts'
import { shownOptions } from '../../model/shown-options.ts'
import { formatBytes, MAX_TIMER_MS, MIB } from '../../model/units.ts'
import { FileInput, type Input, StreamInput } from './input.ts'
import { type Line, Lines } from './lines.ts'
import { pathOption } from './option.ts'
import { hashHead, headLength, readProgress, type StoredProgress, writeProgress } from './progress-file.ts'

export interface FileSourceOptions<T = unknown> {
  /** The file to read; `-` or `stdin` for standard input, which cannot be read again. */
  readonly path: string
  /** Default: the path, or `stdin`. */
  readonly name?: string
  /** The ordering key: the name of a field of the line's JSON object, or a function of the line. Default: none. */
  readonly key?: string | ((line: Uint8Array) => string | null)
  /** Turns the line's bytes into a value; default: JSON of at most 64 levels, prototype keys dropped. */
  readonly decode?: Decoder<T>
  /** Where progress is kept; default `<path>.headgate-progress`. Null: nowhere, every start is from the beginning. */
  readonly progress?: string | null
  /** Default 1 MiB, range 64 bytes – 512 MiB. A longer line is cut off, does not decode, and counts at full length. */
  readonly maxLineBytes?: number
}

const NOTHING: Pulled = { batches: [], ended: false }

export class FileSource<T> implements Source<T> {
  readonly name: string
  readonly capabilities: SourceCapabilities
  readonly decode: Decoder<T>
  readonly shownOptions: Source['shownOptions']
  readonly #path: string
  readonly #isStdin: boolean
  readonly #progressPath: string | null
  readonly #maxLineBytes: number
  readonly #keyOf: (line: Uint8Array) => string | null
  #input: Input | null = null
  #lines = new Lines(0, 1)
  #state: 'new' | 'open' | 'quiet' | 'closed' = 'new'
  #stored: StoredProgress = { epoch: 0, nextOffset: 0, doneAhead: null, head: '' }
  #inputEnded = false
  #committing: Promise<void> = Promise.resolve()
  #delivered = { records: 0, bytes: 0 }
  #closing = new AbortController()

  constructor(options: FileSourceOptions<T>) {
    const check = new OptionCheck('file.source', options, {
      path: true,
      name: true,
      key: true,
      decode: true,
      progress: true,
      maxLineBytes: true,
    })
    check.texts('name')
    check.functions('decode')
    this.#path = pathOption(check, 'path', options.path)
    this.#isStdin = this.#path === '-' || this.#path === 'stdin'
    if (this.#isStdin && options.progress)
      throw check.refusal('progress', 'none for standard input, which has no place')
    const sidecar = options.progress === undefined ? `${this.#path}.headgate-progress` : options.progress
    this.#progressPath = this.#isStdin || sidecar === null ? null : pathOption(check, 'progress', sidecar)
    this.#maxLineBytes = check.integer('maxLineBytes', MIB, { min: 64, max: 512 * MIB, unit: 'bytes' })
    const { key } = options
    const keyed = key === undefined || typeof key === 'function' || (typeof key === 'string' && key !== '')
    if (!keyed) throw check.refusal('key', 'the name of a field or a function')
    this.#keyOf = keyFunction(key)
    this.shownOptions = shownOptions({ ...options, progress: this.#progressPath, maxLineBytes: this.#maxLineBytes })
    this.name = options.name ?? (this.#isStdin ? 'stdin' : this.#path)
    this.capabilities = {
      backlog: this.#isStdin ? 'none' : 'estimated',
      metadataBytes: this.#progressPath === null ? 0 : Number.POSITIVE_INFINITY,
      replayable: this.#progressPath !== null,
    }
    const decode = options.decode ?? ((raw: unknown) => parseJson(raw as Uint8Array) as T)
    this.decode = (raw, record) => {
      refuseCutOff(raw as Uint8Array, record)
      return decode(raw, record)
    }
  }

  /** Throws `HG_STORAGE` when the file or its progress cannot be read, or when they do not belong together. */
  async open(context: SourceContext): Promise<void> {
    if (this.#input) throw new HeadgateError('HG_INVARIANT', `source ${this.name} is open already`)
    const input = this.#isStdin ? new StreamInput(process.stdin) : await FileInput.open(this.#path)
    try {
      const stored = this.#progressPath === null ? null : await readProgress(this.#progressPath)
      if (stored) await this.#checkSameFile(input, stored)
      this.#stored = stored ?? { epoch: this.#stored.epoch, nextOffset: 0, doneAhead: null, head: '' }
    } catch (thrown) {
      await input.close()
      throw thrown
    }
    const { nextOffset, doneAhead } = this.#stored
    const epoch = this.#stored.epoch + 1
    this.#stored = { ...this.#stored, epoch }
    this.#lines = new Lines(nextOffset, this.#maxLineBytes)
    this.#inputEnded = false
    this.#closing = new AbortController()
    this.#input = input
    this.#state = 'open'
    const assignment: Assignment = { partition: this.name, epoch, nextOffset, doneAhead }
    context.onAssigned([assignment])
  }

  async #checkSameFile(input: Input, { nextOffset, head }: StoredProgress): Promise<void> {
    const same = hashHead(await input.head(headLength(nextOffset))) === head
    if (same && ((await input.sizeBytes()) ?? 0) >= nextOffset) return
    throw new HeadgateError(
      'HG_STORAGE',
      `${this.#path} is not the file that ${this.#progressPath} tells of: it was replaced or cut. ` +
        'Delete the progress file to process it from the beginning, or name another one with the option progress',
    )
  }

  async pull(request: PullRequest): Promise<Pulled> {
    const { paused, waitMs } = request
    if (this.#state === 'new') throw new HeadgateError('HG_INVARIANT', `source ${this.name} is not open`)
    const signal = AbortSignal.any([request.signal, this.#closing.signal])
    const deadline = performance.now() + waitMs
    const idle = this.#state !== 'open' || paused.has(this.name)
    while (!idle && !signal.aborted) {
      const records = this.#take(request)
      if (records.length > 0 || this.#exhausted()) {
        const batches = records.length > 0 ? [{ partition: this.name, epoch: this.#stored.epoch, records }] : []
        return { batches, ended: this.#exhausted() }
      }
      const left = deadline - performance.now()
      const chunk = await (this.#input as Input).read(this.#lines.position, left, signal)
      // Closed or quiet meanwhile: what came is of no use to anybody.
      if (!this.#isOpen()) return NOTHING
      if (chunk === 'end') {
        this.#inputEnded = true
        this.#lines.finish()
      } else if (chunk !== 'nothing') {
        this.#lines.feed(chunk)
      }
      if (deadline - performance.now() <= 0 && this.#lines.count === 0 && !this.#inputEnded) return NOTHING
    }
    await sleep(deadline - performance.now(), signal)
    return NOTHING
  }

  #isOpen(): boolean {
    return this.#state === 'open'
  }

  #take({ credit }: PullRequest): SourceRecord[] {
    const records: SourceRecord[] = []
    const now = Date.now()
    let room = credit.bytes
    while (records.length < credit.records) {
      const next = this.#lines.peekBytes()
      if (next === null || (records.length > 0 && next > room)) break
      const { offset, value, bytes } = this.#lines.take() as Line
      room -= bytes
      this.#delivered = { records: this.#delivered.records + 1, bytes: this.#delivered.bytes + bytes }
      const key = bytes > value.length ? null : this.#keyOf(value)
      records.push({ key, partition: this.name, offset, timestampMs: now, headers: NO_HEADERS, bytes, value })
    }
    return records
  }

  #exhausted(): boolean {
    return this.#inputEnded && this.#lines.count === 0
  }

  held(): { records: number; bytes: number } {
    return { records: this.#lines.count, bytes: this.#lines.bytes }
  }

  /** Commits that overlap are stored one after the other. */
  commit(positions: readonly Position[]): Promise<void> {
    const done = this.#committing.then(() => this.#commit(positions))
    this.#committing = done.catch(() => {})
    return done
  }

  async #commit(positions: readonly Position[]): Promise<void> {
    for (const { partition, epoch, nextOffset, doneAhead } of positions) {
      const stored = this.#stored
      if (!this.#input || partition !== this.name || epoch !== stored.epoch) {
        throw new HeadgateError('HG_FENCED', `commit of ${partition} with epoch ${epoch}, but it is at ${stored.epoch}`)
      }
      if (nextOffset < stored.nextOffset) {
        const message = `commit would move ${partition} back from ${stored.nextOffset} to ${nextOffset}`
        throw new HeadgateError('HG_COMMIT_FAILED', message)
      }
      const length = headLength(nextOffset)
      const unchanged = length === headLength(stored.nextOffset) && stored.head !== ''
      const next = {
        epoch,
        nextOffset,
        doneAhead,
        head: unchanged ? stored.head : hashHead(await this.#input.head(length)),
      }
      try {
        if (this.#progressPath !== null) await writeProgress(this.#progressPath, next)
      } catch (cause) {
        throw new HeadgateError('HG_COMMIT_FAILED', (cause as Error).message, { cause })
      }
      this.#stored = next
    }
  }

  /** How many lines remain is estimated from the length of those that were delivered. */
  async backlog(): Promise<readonly PartitionBacklog[]> {
    const sizeBytes = (await this.#input?.sizeBytes()) ?? null
    const lineBytes = this.#delivered.records > 0 ? 1 + this.#delivered.bytes / this.#delivered.records : 100
    const records = sizeBytes === null ? null : Math.ceil(Math.max(0, sizeBytes - this.#lines.position) / lineBytes)
    return [{ partition: this.name, records, oldestTimestampMs: null }]
  }

  async quiesce(): Promise<void> {
    if (this.#state !== 'open') return
    this.#state = 'quiet'
    this.#lines = new Lines(0, this.#maxLineBytes)
  }

  async close(): Promise<void> {
    if (!this.#input) return
    this.#state = 'closed'
    this.#closing.abort()
    await this.#committing
    await this.#input?.close()
    this.#input = null
    this.#lines = new Lines(0, this.#maxLineBytes)
  }
}

function refuseCutOff(line: Uint8Array, { offset, bytes }: RecordInfo): void {
  if (bytes <= line.length) return
  throw reject(
    `the line at byte ${offset} has ${formatBytes(bytes)}, and maxLineBytes is ${formatBytes(line.length)}: ` +
      'raise maxLineBytes if such lines are expected',
  )
}

function keyFunction(key: FileSourceOptions['key']): (line: Uint8Array) => string | null {
  if (key === undefined) return () => null
  if (typeof key === 'function') return key
  return (line) => {
    try {
      const value = (parseJson(line) as Record<string, unknown> | null)?.[key]
      return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : null
    } catch {
      // It does not decode either, and is reported there.
      return null
    }
  }
}

async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return
  await delay(Math.min(ms, MAX_TIMER_MS), undefined, { signal }).catch(() => {})
}
