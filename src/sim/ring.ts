/** A double-ended queue of numbers over a typed array that grows by doubling; no garbage once it is large enough. */
export class NumberRing {
  #items = new Float64Array(64)
  #head = 0
  #size = 0

  get size(): number {
    return this.#size
  }

  push(value: number): void {
    if (this.#size === this.#items.length) this.#grow()
    this.#items[(this.#head + this.#size) & (this.#items.length - 1)] = value
    this.#size += 1
  }

  unshift(value: number): void {
    if (this.#size === this.#items.length) this.#grow()
    this.#head = (this.#head - 1) & (this.#items.length - 1)
    this.#items[this.#head] = value
    this.#size += 1
  }

  /** The first value; the caller has seen that there is one. */
  peek(): number {
    return this.#items[this.#head] as number
  }

  /** Takes the first value off; the caller has seen that there is one. */
  shift(): number {
    const value = this.#items[this.#head] as number
    this.#head = (this.#head + 1) & (this.#items.length - 1)
    this.#size -= 1
    return value
  }

  #grow(): void {
    const items = new Float64Array(this.#items.length * 2)
    for (let index = 0; index < this.#size; index += 1) {
      items[index] = this.#items[(this.#head + index) & (this.#items.length - 1)] as number
    }
    this.#items = items
    this.#head = 0
  }
}
