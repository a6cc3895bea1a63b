/**
 * Cuts a stream of bytes into the pieces that its reader asks for next, wherever the chunks end that it arrives in.
 * `connection.ts` feeds it what the socket read, `fetch-answer.ts` and the connection's own loop are the readers. A
 * large piece need not pass through a chunk: the socket may read it to where it stays.
 * Invariant: a piece that was asked for by its size is valid until the reader asks for the next one, since the chunk's
 * memory is used again; a buffer that was handed in to be filled is the reader's own.
 */

/** Yields how many bytes it wants next, or a buffer to be filled; gets them. */
export type Reading<T> = Generator<number | Buffer, T, Buffer>

/** What is left of a frame; nothing may be read beyond. */
export interface Frame {
  left: number
}

/** What came is not what was asked for: nothing behind it can be understood any more. */
export class OutOfStep extends Error {}

const SKIPPED_AT_ONCE = 16 * 1024
const MAX_VARINT_BYTES = 5
const NOTHING = Buffer.alloc(0)

export class Pieces {
  readonly #reading: Reading<never>
  #wanted: number | Buffer
  /** Where a piece is gathered that arrives in more than one chunk; null while it has not begun. */
  #gathered: Buffer | null = null
  #filled = 0
  /** Of the buffer that was filled last, the reader's own; 0 before there was one. */
  lastOwnBytes = 0

  constructor(reading: Reading<never>) {
    this.#reading = reading
    this.#wanted = reading.next(NOTHING).value
  }

  /** What is left of a buffer that the reader handed in, where the next bytes belong; null when it wants a piece. */
  get open(): Buffer | null {
    return typeof this.#wanted === 'number' ? null : this.#wanted.subarray(this.#filled)
  }

  /** So many bytes were written to the beginning of `open`. Throws as `feed` does. */
  wrote(bytes: number): void {
    const target = this.#wanted as Buffer
    this.#filled += bytes
    if (this.#filled < target.length) return
    this.#filled = 0
    this.lastOwnBytes = target.length
    this.#next(target)
  }

  /** Throws what the reader throws; then no more may be fed. */
  feed(chunk: Buffer): void {
    let at = 0
    for (;;) {
      const wanted = this.#wanted
      if (typeof wanted === 'number' && this.#gathered === null) {
        if (chunk.length - at >= wanted) {
          at += wanted
          this.#next(chunk.subarray(at - wanted, at))
          continue
        }
        if (at === chunk.length) return
        this.#gathered = Buffer.allocUnsafe(wanted)
      }
      const target = typeof wanted === 'number' ? (this.#gathered as Buffer) : wanted
      const copied = chunk.copy(target, this.#filled, at)
      at += copied
      this.#filled += copied
      if (this.#filled < target.length) return
      if (this.#gathered === null) this.lastOwnBytes = target.length
      this.#gathered = null
      this.#filled = 0
      this.#next(target)
    }
  }

  #next(piece: Buffer): void {
    this.#wanted = this.#reading.next(piece).value
  }
}

/** The next `bytes` bytes of a frame. */
export function* piece(frame: Frame, bytes: number): Reading<Buffer> {
  claim(frame, bytes)
  return yield bytes
}

/** The next `bytes` bytes of a frame, in memory of their own. */
export function* owned(frame: Frame, bytes: number): Reading<Buffer> {
  claim(frame, bytes)
  // Not from the pool: whoever keeps a piece of it should not pin what others have there.
  return bytes === 0 ? NOTHING : yield Buffer.allocUnsafeSlow(bytes)
}

export function* skip(frame: Frame, bytes: number): Reading<void> {
  claim(frame, bytes)
  for (let left = bytes; left > 0; left -= SKIPPED_AT_ONCE) yield Math.min(left, SKIPPED_AT_ONCE)
}

/** An unsigned varint, as lengths are written. */
export function* unsignedVarint(frame: Frame): Reading<number> {
  let value = 0
  for (let length = 0; length < MAX_VARINT_BYTES; length += 1) {
    const byte = (yield* piece(frame, 1))[0] as number
    value += (byte & 127) * 2 ** (length * 7)
    if (byte < 128) return value
  }
  throw new OutOfStep('a length is longer than it can be')
}

/**
 * Fields that a broker adds where there is something to say: `read` gets each one's tag and may read it, within a frame
 * of its own.
 */
export function* tagged(frame: Frame, read?: (tag: number, field: Frame) => Reading<void>): Reading<void> {
  for (let count = yield* unsignedVarint(frame); count > 0; count -= 1) {
    const tag = yield* unsignedVarint(frame)
    const field = { left: yield* unsignedVarint(frame) }
    claim(frame, field.left)
    if (read !== undefined) yield* read(tag, field)
    yield* skip(field, field.left)
  }
}

function claim(frame: Frame, bytes: number): void {
  if (bytes > frame.left) throw new OutOfStep(`${bytes} bytes are said to follow where ${frame.left} are left`)
  frame.left -= bytes
}
