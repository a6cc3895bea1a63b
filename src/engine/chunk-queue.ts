/** A queue of chunks as they came: whole ones pass through without a look at what they hold. */
import { Chunk } from './chunk.ts'
import type { Item } from './item.ts'
import { Ring } from './ring.ts'

export class ChunkQueue {
  readonly #chunks = new Ring<Chunk>()
  #size = 0

  /** Records, not chunks. */
  get size(): number {
    return this.#size
  }

  /** Summed when asked for: queues between synchronous stages are short. */
  get bytes(): number {
    let bytes = 0
    this.#chunks.retain((chunk) => {
      bytes += chunk.bytes
      return true
    })
    return bytes
  }

  push(chunk: Chunk): void {
    this.#chunks.push(chunk)
    this.#size += chunk.length
  }

  /** Puts it ahead of all others. */
  unshift(chunk: Chunk): void {
    this.#chunks.unshift(chunk)
    this.#size += chunk.length
  }

  /** The next chunk, cut to at most `most`; the caller has seen that the queue is not empty. */
  shift(most: number): Chunk {
    let chunk = this.#chunks.shift() as Chunk
    if (chunk.length > most) {
      this.#chunks.unshift(chunk.slice(most, chunk.length))
      chunk = chunk.slice(0, most)
    }
    this.#size -= chunk.length
    return chunk
  }

  purge(drop: (item: Item) => boolean): Item[] {
    const dropped: Item[] = []
    const kept: Chunk[] = []
    this.#chunks.retain((chunk) => {
      const rest: Item[] = []
      for (const item of chunk.toItems()) (drop(item) ? dropped : rest).push(item)
      if (rest.length > 0) kept.push(Chunk.ofItems(rest))
      return false
    })
    for (const chunk of kept) this.#chunks.push(chunk)
    this.#size -= dropped.length
    return dropped
  }
}
