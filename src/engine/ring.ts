/** A double-ended queue over a ring that grows by doubling: O(1) at both ends, where Array.shift is O(n). */
export class Ring<T> {
  #items: (T | undefined)[] = new Array(16)
  #head = 0
  #size = 0

  get size(): number {
    return this.#size
  }

  push(item: T): void {
    if (this.#size === this.#items.length) this.#grow()
    this.#items[(this.#head + this.#size) & (this.#items.length - 1)] = item
    this.#size += 1
  }

  unshift(item: T): void {
    if (this.#size === this.#items.length) this.#grow()
    this.#head = (this.#head - 1) & (this.#items.length - 1)
    this.#items[this.#head] = item
    this.#size += 1
  }

  shift(): T | undefined {
    if (this.#size === 0) return undefined
    const item = this.#items[this.#head]
    this.#items[this.#head] = undefined
    this.#head = (this.#head + 1) & (this.#items.length - 1)
    this.#size -= 1
    return item
  }

  peek(): T | undefined {
    return this.#size === 0 ? undefined : this.#items[this.#head]
  }

  /** Keeps what `keep` returns true for, in order. */
  retain(keep: (item: T) => boolean): void {
    for (let left = this.#size; left > 0; left -= 1) {
      const item = this.shift() as T
      if (keep(item)) this.push(item)
    }
  }

  #grow(): void {
    const { length } = this.#items
    const items: (T | undefined)[] = new Array(length * 2)
    for (let index = 0; index < length; index += 1) items[index] = this.#items[(this.#head + index) & (length - 1)]
    this.#items = items
    this.#head = 0
  }
}
