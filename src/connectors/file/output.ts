/**
 * Where a sink writes its lines: a regular file, appended to and synced, or a stream such as standard output. Invariant
 * of the file: after a write that failed it is as long as before, so that writing the lines again repeats none.
 */
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import type { Writable } from 'node:stream'
import { HeadgateError, overloaded } from '../../model/errors.ts'
import type { Logger } from '../../model/logger.ts'
import { errorCode, storageError } from './option.ts'
import { syncDirectory } from './progress-file.ts'

export interface Output {
  /**
   * Resolves when the bytes are as durable as this output can make them. Throws `HG_STORAGE`, and `HG_OVERLOADED` when
   * there is no room for them now.
   */
  write(bytes: Uint8Array, signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

/** The part of a file handle that is needed. */
export type OutputHandle = Pick<FileHandle, 'write' | 'truncate' | 'sync' | 'close'>

const LF = 0x0a
const CHUNK_BYTES = 64 * 1024
/** A longer last line is cut off without a look at it. */
const MAX_TAIL_BYTES = 16 * 1024 * 1024

/** Opens or creates a file. Throws `HG_STORAGE`. */
export async function openFile(path: string, append: boolean, sync: boolean, log: Logger): Promise<Output> {
  let handle: FileHandle | null = null
  try {
    handle = await open(path, constants.O_RDWR | constants.O_CREAT | (append ? 0 : constants.O_TRUNC))
    const stat = await handle.stat()
    if (!stat.isFile()) return new FileOutput(path, handle, null, false)
    if (sync && stat.size === 0) await syncDirectory(path)
    return new FileOutput(path, handle, await repair(path, handle, stat.size, log), sync)
  } catch (cause) {
    await handle?.close()
    throw storageError('write', path, cause)
  }
}

/**
 * Repairs a last line that has no line end, as a crash in the middle of a write leaves it: cuts it off, unless it is a
 * whole JSON object or array, which only lacks its line end. Returns the new length.
 */
async function repair(path: string, handle: FileHandle, size: number, log: Logger): Promise<number> {
  const end = await endOfLastLine(handle, size)
  if (end === size) return size
  const bytes = size - end
  if (await isWhole(handle, end, bytes)) {
    await handle.write(Uint8Array.of(LF), 0, 1, size)
    log.warn({ path, bytes }, 'the last line had no line end; it is whole, and was given one')
    return size + 1
  }
  await handle.truncate(end)
  log.warn({ path, bytes }, 'the last line had no line end, as after a crash in a write; it was cut off')
  return end
}

async function isWhole(handle: FileHandle, from: number, bytes: number): Promise<boolean> {
  if (bytes > MAX_TAIL_BYTES) return false
  const { buffer } = await handle.read(Buffer.alloc(bytes), 0, bytes, from)
  try {
    const value: unknown = JSON.parse(buffer.toString())
    return typeof value === 'object' && value !== null
  } catch {
    return false
  }
}

async function endOfLastLine(handle: FileHandle, size: number): Promise<number> {
  const buffer = new Uint8Array(CHUNK_BYTES)
  for (let to = size; to > 0; to -= Math.min(to, CHUNK_BYTES)) {
    const from = Math.max(0, to - CHUNK_BYTES)
    const { bytesRead } = await handle.read(buffer, 0, to - from, from)
    const at = buffer.subarray(0, bytesRead).lastIndexOf(LF)
    if (at >= 0) return from + at + 1
  }
  return 0
}

const NO_ROOM = new Set<unknown>(['ENOSPC', 'EDQUOT'])
const NO_ROOM_RETRY_MS = 1000

export class FileOutput implements Output {
  readonly #path: string
  readonly #handle: OutputHandle
  readonly #sync: boolean
  /** Length of the file; null when it is no regular file, so that only its device knows where it ends. */
  #end: number | null
  #broken: HeadgateError | null = null

  constructor(path: string, handle: OutputHandle, end: number | null, sync: boolean) {
    this.#path = path
    this.#handle = handle
    this.#end = end
    this.#sync = sync
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#broken) throw this.#broken
    try {
      await this.#writeAll(bytes)
    } catch (cause) {
      await this.#takeBack()
      const error = storageError('write', this.#path, cause)
      if (this.#broken !== null || this.#end === null || !NO_ROOM.has(errorCode(cause))) throw error
      // Nothing of it is left in the file, so the lines wait until somebody has made room.
      throw overloaded(error.message, { cause, retryAfterMs: NO_ROOM_RETRY_MS })
    }
    try {
      if (this.#sync) await this.#handle.sync()
    } catch (cause) {
      // The kernel may have dropped the pages: a second fsync that succeeds would prove nothing.
      this.#broken = storageError('make durable', this.#path, cause)
      await this.#takeBack()
      throw this.#broken
    }
    if (this.#end !== null) this.#end += bytes.length
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const position = this.#end === null ? null : this.#end + done
      const { bytesWritten } = await this.#handle.write(bytes, done, bytes.length - done, position)
      done += bytesWritten
    }
  }

  async #takeBack(): Promise<void> {
    if (this.#end === null) return
    try {
      await this.#handle.truncate(this.#end)
    } catch (cause) {
      this.#broken = storageError('take back a write that failed from', this.#path, cause)
    }
  }

  async close(): Promise<void> {
    await this.#handle.close()
  }
}

/** A socket whose other end closed with bytes unread may say ECONNRESET where a pipe says EPIPE. */
const READER_GONE = new Set(['EPIPE', 'ECONNRESET', 'ERR_STREAM_DESTROYED'])

export class StreamOutput implements Output {
  readonly #name: string
  readonly #stream: Writable
  #error: unknown = null
  #fail: (error: unknown) => void = () => {}

  constructor(name: string, stream: Writable) {
    this.#name = name
    this.#stream = stream
    stream.on('error', this.#onError)
  }

  /** Without a listener an EPIPE would end the process. */
  readonly #onError = (error: unknown): void => {
    this.#error = error
    this.#fail(error)
  }

  async write(bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    try {
      await new Promise<void>((resolve, fail) => {
        const onAbort = (): void => fail(signal.reason)
        const settle = (error: unknown): void => {
          signal.removeEventListener('abort', onAbort)
          if (error) fail(error)
          else resolve()
        }
        this.#fail = settle
        if (this.#error) return settle(this.#error)
        signal.addEventListener('abort', onAbort, { once: true })
        this.#stream.write(bytes, settle)
      })
    } catch (cause) {
      signal.throwIfAborted()
      throw this.#explain(cause)
    }
  }

  #explain(cause: unknown): HeadgateError {
    const code = errorCode(cause)
    if (code === undefined || !READER_GONE.has(code)) return storageError('write', this.#name, cause)
    const message = `${this.#name} was closed by the process that was reading it (${code})`
    return new HeadgateError('HG_STORAGE', message, { cause })
  }

  /** The stream stays open, and keeps its listener: it is not ours, and may still fail. */
  async close(): Promise<void> {}
}
