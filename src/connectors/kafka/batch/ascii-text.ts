/**
 * Values as text, where they are ASCII, without a call into Node.js for each: one string is made of some thousand bytes,
 * and each value is a piece of it, which V8 keeps as a place in that string. `block.ts` reads values with it for
 * decoders that would make text of them anyway. Invariant: a text is exactly what UTF-8 says of the bytes.
 */

/** Of what one string is made, bytes: longer ones live outside of V8's young generation and are dear to make. */
export const STRING_BYTES = 16 * 1024
/** What lies between two values is looked at byte by byte: beyond so many, a string of its own costs less. */
const MOST_BETWEEN_BYTES = 64
/** Where a string is not all ASCII, values up to this length are looked at here; for longer ones the call is cheaper. */
export const LOOKED_AT_BYTES = 512
/** The bits that no ASCII character has, of one byte and of four. */
const BEYOND_ASCII = 0x80
const BEYOND_ASCII_OF_FOUR = 0x80808080 | 0

/** Where the values of some records lie: of record `i`, `places[i * step + first]` is its start, and its length follows. */
export interface Places {
  readonly places: Int32Array
  readonly step: number
  readonly first: number
  /** Records before this one are read. */
  readonly end: number
}

export class AsciiText {
  readonly #data: Buffer
  readonly #values: Places
  readonly #bytes: Uint8Array
  readonly #words: Int32Array
  #string = ''
  /** Whether all values in the string are. */
  #isAscii = false
  /** The bytes that the string was made of. */
  #from = 0
  #to = 0

  constructor(data: Buffer, values: Places) {
    this.#data = data
    this.#values = values
    this.#bytes = new Uint8Array(data.buffer)
    this.#words = new Int32Array(data.buffer, 0, data.buffer.byteLength >> 2)
  }

  /** The value of a record; null where there is none, or where it is long or not ASCII. Asked for in rising order. */
  read(index: number): string | null {
    const { places, step, first } = this.#values
    const from = places[index * step + first] as number
    const bytes = places[index * step + first + 1] as number
    if (bytes < 0 || bytes > STRING_BYTES) return null
    const to = from + bytes
    if (from < this.#from || to > this.#to) this.#open(index, from, to)
    if (!this.#isAscii && !this.#looksAscii(from, to)) return null
    return this.#string.substring(from - this.#from, to - this.#from)
  }

  /** Makes a string that begins with this value and has as many of those behind it as fit. */
  #open(index: number, from: number, valueEnd: number): void {
    const { places, step, first, end } = this.#values
    const data = this.#data
    let to = valueEnd
    let beyondBetween = 0
    for (let field = (index + 1) * step + first; field < end * step; field += step) {
      const at = places[field] as number
      const next = at + Math.max(0, places[field + 1] as number)
      if (at < to || at - to > MOST_BETWEEN_BYTES || next - from > STRING_BYTES) break
      for (; to < at; to += 1) beyondBetween += (data[to] as number) >> 7
      to = next
    }
    this.#string = data.toString('latin1', from, to)
    this.#from = from
    this.#to = to
    // In UTF-8 each character beyond ASCII, of those that Latin-1 has, takes a byte more.
    this.#isAscii = Buffer.byteLength(this.#string) - this.#string.length === beyondBetween
  }

  /** False as well where looking would take long. */
  #looksAscii(from: number, to: number): boolean {
    if (to - from > LOOKED_AT_BYTES) return false
    const bytes = this.#bytes
    const words = this.#words
    // Places in the memory that the data is part of.
    const start = this.#data.byteOffset + from
    const end = this.#data.byteOffset + to
    const firstWord = (start + 3) >> 2
    const endWord = Math.max(firstWord, end >> 2)
    let seen = 0
    for (let at = start; at < end && at < firstWord * 4; at += 1) seen |= bytes[at] as number
    for (let at = Math.max(start, endWord * 4); at < end; at += 1) seen |= bytes[at] as number
    if ((seen & BEYOND_ASCII) !== 0) return false
    for (let at = firstWord; at < endWord; at += 1) seen |= words[at] as number
    return (seen & BEYOND_ASCII_OF_FOUR) === 0
  }
}
