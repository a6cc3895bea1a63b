import { type Item, isFenced } from './item.ts'

/** Results that the next stage has no room for yet, the oldest first. */
export class Outbox {
  #items: Item[] = []
  #bytes = 0

  get length(): number {
    return this.#items.length
  }

  get bytes(): number {
    return this.#bytes
  }

  push(item: Item): void {
    this.#items.push(item)
    this.#bytes += item.bytes
  }

  /** Takes up to `room` items. */
  take(room: number): Item[] {
    const items = this.#items
    this.#items = items.length > room ? items.splice(room) : []
    for (const item of items) this.#bytes -= item.bytes
    return items
  }

  /** Takes out results of partitions that are no longer ours. */
  takeFenced(): Item[] {
    if (!this.#items.some(isFenced)) return []
    const fenced = this.#items.filter(isFenced)
    this.#items = this.#items.filter((item) => !isFenced(item))
    for (const item of fenced) this.#bytes -= item.bytes
    return fenced
  }
}
