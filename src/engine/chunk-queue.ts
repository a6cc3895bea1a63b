/** A queue of items in the chunks they came in: whole chunks pass through without touching the items. */
import { type Item, itemBytes } from './item.ts'
import { Ring } from './ring.ts'

export class ChunkQueue {
  readonly #chunks = new Ring<Item[]>()
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Summed when asked for: queues between synchronous stages are short. */
  get bytes(): number {
    let bytes = 0
    this.#chunks.retain((chunk) => {
      for (const item of chunk) bytes += itemBytes(item)
      return true
    })
    return bytes
  }

  push(chunk: Item[]): void {
    this.#chunks.push(chunk)
    this.#size += chunk.length
  }

  /** The next chunk, cut to at most `most` items; the caller has seen that the queue is not empty. */
  shift(most: number): Item[] {
    let chunk = this.#chunks.shift() as Item[]
    if (chunk.length > most) {
      this.#chunks.unshift(chunk.slice(most))
      chunk = chunk.slice(0, most)
    }
    this.#size -= chunk.length
    return chunk
  }

  purge(drop: (item: Item) => boolean): Item[] {
    const dropped: Item[] = []
    const kept: Item[][] = []
    this.#chunks.retain((chunk) => {
      const rest = chunk.filter((item) => !drop(item))
      if (rest.length < chunk.length) dropped.push(...chunk.filter(drop))
      if (rest.length > 0) kept.push(rest)
      return false
    })
    for (const chunk of kept) this.#chunks.push(chunk)
    this.#size -= dropped.length
    return dropped
  }
}
