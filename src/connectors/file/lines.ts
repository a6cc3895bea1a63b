/**
 * Cuts bytes into lines. The source feeds it chunks and takes lines out; it copies a line only when it is taken.
 * Invariant: beside the last chunk it keeps at most one line of `maxLineBytes`, however long the lines are.
 */

export interface Line {
  /** Byte position of its first byte. */
  readonly offset: number
  /** Without its line end, cut off after `maxLineBytes`. A copy, which keeps nothing else alive. */
  readonly value: Uint8Array
  /** Its whole length without the line end, in bytes. */
  readonly bytes: number
}

interface Cut {
  readonly offset: number
  /** As much of it as is kept; a view of the chunk. */
  readonly part: Uint8Array
  readonly bytes: number
}

const LF = 0x0a
const CR = 0x0d

export class Lines {
  readonly #maxLineBytes: number
  /** Whole lines; those before `#taken` are gone. */
  #cuts: Cut[] = []
  #taken = 0
  #bytes = 0
  /** Byte position of the next byte that is fed. */
  #position: number
  /** The line whose end was not fed yet: where it begins, its length so far, its last byte, and what is kept of it. */
  #start: number
  #length = 0
  #last = 0
  readonly #carry: Carry
  /** True until the first line end, when reading began within a line. */
  #skipping: boolean

  /** Lines that begin at `from` or later are kept; feed it from the byte before `from`, when there is one. */
  constructor(from: number, maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes
    // One byte more than the limit: it may turn out to be the carriage return of the line end.
    this.#carry = new Carry(maxLineBytes + 1)
    this.#position = this.#start = Math.max(0, from - 1)
    this.#skipping = from > 0
  }

  /** Where to go on reading. */
  get position(): number {
    return this.#position
  }

  /** Whole lines that were not taken. */
  get count(): number {
    return this.#cuts.length - this.#taken
  }

  /** Their bytes. */
  get bytes(): number {
    return this.#bytes
  }

  feed(chunk: Uint8Array): void {
    let from = 0
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, from)) {
      this.#grow(chunk, from, end)
      this.#cut(this.#length > end - from ? this.#carried(chunk, from, end) : chunk.subarray(from, end))
      this.#start = this.#position + end + 1
      from = end + 1
    }
    this.#grow(chunk, from, chunk.length)
    if (!this.#skipping) this.#carry.add(chunk.subarray(from))
    this.#position += chunk.length
  }

  /** There are no more bytes: a last line without a line end is a line. */
  finish(): void {
    this.#cut(this.#carry.take())
  }

  /** Length in bytes of the next line, or null when there is none. */
  peekBytes(): number | null {
    return this.#cuts[this.#taken]?.bytes ?? null
  }

  take(): Line | null {
    const cut = this.#cuts[this.#taken]
    if (!cut) return null
    this.#taken += 1
    this.#bytes -= cut.bytes
    if (this.#taken === this.#cuts.length) {
      this.#cuts = []
      this.#taken = 0
    }
    const { offset, part, bytes } = cut
    return { offset, bytes, value: new Uint8Array(part.subarray(0, Math.min(bytes, this.#maxLineBytes))) }
  }

  #grow(chunk: Uint8Array, from: number, to: number): void {
    if (to === from) return
    this.#last = chunk[to - 1] as number
    this.#length += to - from
  }

  #carried(chunk: Uint8Array, from: number, end: number): Uint8Array {
    this.#carry.add(chunk.subarray(from, end))
    return this.#carry.take()
  }

  #cut(part: Uint8Array): void {
    const bytes = this.#last === CR ? this.#length - 1 : this.#length
    if (bytes > 0 && !this.#skipping) {
      this.#cuts.push({ offset: this.#start, part, bytes })
      this.#bytes += bytes
    }
    this.#skipping = false
    this.#length = this.#last = 0
  }
}

/** Collects a line that spans chunks, up to a limit; what exceeds it is dropped. It doubles, so that it copies little. */
class Carry {
  readonly #limit: number
  #buffer = new Uint8Array(0)
  #length = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  add(part: Uint8Array): void {
    const length = Math.min(this.#limit, this.#length + part.length)
    if (length === this.#length) return
    if (length > this.#buffer.length) {
      const larger = new Uint8Array(Math.min(this.#limit, Math.max(1024, 2 * length)))
      larger.set(this.#buffer.subarray(0, this.#length))
      this.#buffer = larger
    }
    this.#buffer.set(part.subarray(0, length - this.#length), this.#length)
    this.#length = length
  }

  take(): Uint8Array {
    const whole = this.#buffer.subarray(0, this.#length)
    this.#buffer = new Uint8Array(0)
    this.#length = 0
    return whole
  }
}
