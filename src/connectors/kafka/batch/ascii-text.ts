/**
 * Values as text, where they are ASCII, without a call into Node.js for each: one string is made of some thousand bytes,
 * and each value is a piece of it, which V8 keeps as a place in that string. `block.ts` reads values with it for
 * decoders that would make text of them anyway. Invariant: a text is exactly what UTF-8 says of the bytes.
 */

/** Of what one string is made, bytes: longer ones live outside of V8's young generation and are dear to make. */
const STRING_BYTES = 16 * 1024
/** Of a longer value, looking at all of its bytes here costs more than the call. */
export const MOST_BYTES = 512
/** The bits that no ASCII character has, of one byte and of four. */
const BEYOND_ASCII = 0x80
const BEYOND_ASCII_OF_FOUR = 0x80808080 | 0

export class AsciiText {
  readonly #data: Buffer
  readonly #end: number
  readonly #bytes: Uint8Array
  readonly #words: Int32Array
  #string = ''
  /** The bytes that the string was made of. */
  #from = 0
  #to = 0

  /** `end`: nothing is read from there on. */
  constructor(data: Buffer, end: number) {
    this.#data = data
    this.#end = end
    this.#bytes = new Uint8Array(data.buffer)
    this.#words = new Int32Array(data.buffer, 0, data.buffer.byteLength >> 2)
  }

  /** The bytes from `from` to before `to`; null where they are not all ASCII, or more than `MOST_BYTES`. */
  read(from: number, to: number): string | null {
    const start = this.#data.byteOffset
    if (to - from > MOST_BYTES || !this.#isAscii(start + from, start + to)) return null
    if (from < this.#from || to > this.#to) {
      this.#from = from
      this.#to = Math.min(this.#end, from + STRING_BYTES)
      this.#string = this.#data.toString('latin1', from, this.#to)
    }
    return this.#string.substring(from - this.#from, to - this.#from)
  }

  /** Places in the memory that the data is part of. */
  #isAscii(from: number, to: number): boolean {
    const bytes = this.#bytes
    const words = this.#words
    const firstWord = (from + 3) >> 2
    const endWord = Math.max(firstWord, to >> 2)
    let seen = 0
    for (let at = from; at < to && at < firstWord * 4; at += 1) seen |= bytes[at] as number
    for (let at = Math.max(from, endWord * 4); at < to; at += 1) seen |= bytes[at] as number
    if ((seen & BEYOND_ASCII) !== 0) return false
    for (let at = firstWord; at < endWord; at += 1) seen |= words[at] as number
    return (seen & BEYOND_ASCII_OF_FOUR) === 0
  }
}
