/**
 * Where a source reads its bytes: a regular file, at any position, or standard input, as it comes. The source reads
 * one chunk at a time. Invariant: no byte is lost when a read is given up; the next one gets it.
 */
import { type FileHandle, open } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { HeadgateError } from '../../model/errors.ts'
import { MAX_TIMER_MS } from '../../model/units.ts'
import { storageError } from './option.ts'

const CHUNK_BYTES = 64 * 1024

/** `end`: there will be no more bytes. `nothing`: none came in time. */
export type Chunk = Uint8Array | 'end' | 'nothing'

export interface Input {
  /** Bytes in all; null when that cannot be known. */
  sizeBytes(): Promise<number | null>
  read(position: number, waitMs: number, signal: AbortSignal): Promise<Chunk>
  /** The first bytes of the file, to tell it from another one of the same name. */
  head(length: number): Promise<Uint8Array>
  /** Ends a read that waits. */
  close(): Promise<void>
}

export class FileInput implements Input {
  readonly #path: string
  readonly #handle: FileHandle

  constructor(path: string, handle: FileHandle) {
    this.#path = path
    this.#handle = handle
  }

  /** Throws `HG_STORAGE` when the file cannot be read or is none. */
  static async open(path: string): Promise<FileInput> {
    let handle: FileHandle | null = null
    try {
      handle = await open(path, 'r')
      if ((await handle.stat()).isFile()) return new FileInput(path, handle)
      throw new HeadgateError(
        'HG_STORAGE',
        `cannot read ${path}: it is no regular file; pipe it in and use '-' instead`,
      )
    } catch (cause) {
      await handle?.close()
      throw storageError('read', path, cause)
    }
  }

  async sizeBytes(): Promise<number> {
    return (await this.#handle.stat()).size
  }

  async read(position: number): Promise<Chunk> {
    try {
      const { bytesRead, buffer } = await this.#handle.read(new Uint8Array(CHUNK_BYTES), 0, CHUNK_BYTES, position)
      return bytesRead === 0 ? 'end' : buffer.subarray(0, bytesRead)
    } catch (cause) {
      throw storageError('read', this.#path, cause)
    }
  }

  async head(length: number): Promise<Uint8Array> {
    const { bytesRead, buffer } = await this.#handle.read(new Uint8Array(length), 0, length, 0)
    return buffer.subarray(0, bytesRead)
  }

  async close(): Promise<void> {
    await this.#handle.close()
  }
}

export class StreamInput implements Input {
  readonly #stream: Readable
  #error: unknown = null
  #ended = false
  #wake: () => void = () => {}

  /** Bytes stay in the stream, and soon in the pipe behind it, until they are read. */
  constructor(stream: Readable) {
    this.#stream = stream
    stream.on('readable', this.#onReadable)
    stream.on('end', this.#onEnd)
    stream.on('error', this.#onError)
  }

  readonly #onReadable = (): void => this.#wake()
  readonly #onEnd = (): void => {
    this.#ended = true
    this.#wake()
  }
  readonly #onError = (error: unknown): void => {
    this.#error = error
    this.#wake()
  }

  async sizeBytes(): Promise<null> {
    return null
  }

  async read(_position: number, waitMs: number, signal: AbortSignal): Promise<Chunk> {
    const ready = this.#take()
    if (ready !== 'nothing' || waitMs <= 0 || signal.aborted) return ready
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', wake)
        resolve()
      }
      const timer = setTimeout(wake, Math.min(waitMs, MAX_TIMER_MS))
      signal.addEventListener('abort', wake, { once: true })
      this.#wake = wake
    })
    return this.#take()
  }

  #take(): Chunk {
    if (this.#error) throw storageError('read', 'standard input', this.#error)
    const chunk = this.#stream.read() as Uint8Array | string | null
    if (chunk !== null) return typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    return this.#ended || this.#stream.readableEnded || this.#stream.destroyed ? 'end' : 'nothing'
  }

  async head(): Promise<Uint8Array> {
    return new Uint8Array(0)
  }

  async close(): Promise<void> {
    this.#stream.off('readable', this.#onReadable)
    this.#stream.off('end', this.#onEnd)
    this.#stream.off('error', this.#onError)
    this.#stream.pause()
    // A process must be able to end while nobody closes its standard input.
    ;(this.#stream as { unref?: () => void }).unref?.()
    this.#ended = true
    this.#wake()
  }
}
