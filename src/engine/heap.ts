/** A binary min-heap: the entry of the lowest rank first. Equal ranks keep no order. */
export class Heap<T> {
  readonly #rankOf: (entry: T) => number
  readonly #heap: T[] = []

  /** The rank of an entry must not change while it is in the heap. */
  constructor(rankOf: (entry: T) => number) {
    this.#rankOf = rankOf
  }

  get size(): number {
    return this.#heap.length
  }

  peek(): T | undefined {
    return this.#heap[0]
  }

  push(entry: T): void {
    const heap = this.#heap
    const rank = this.#rankOf(entry)
    let at = heap.push(entry) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (this.#rankAt(parent) <= rank) break
      heap[at] = heap[parent] as T
      at = parent
    }
    heap[at] = entry
  }

  pop(): T | undefined {
    const heap = this.#heap
    const top = heap[0]
    const last = heap.pop()
    if (top === undefined || last === undefined || heap.length === 0) return top
    const rank = this.#rankOf(last)
    let at = 0
    for (;;) {
      let child = at * 2 + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && this.#rankAt(child + 1) < this.#rankAt(child)) child += 1
      if (this.#rankAt(child) >= rank) break
      heap[at] = heap[child] as T
      at = child
    }
    heap[at] = last
    return top
  }

  retain(keep: (entry: T) => boolean): void {
    const entries = this.#heap.splice(0)
    for (const entry of entries) if (keep(entry)) this.push(entry)
  }

  #rankAt(at: number): number {
    return this.#rankOf(this.#heap[at] as T)
  }
}

/** The rank of what is due at a time: the earliest first. */
export function dueAt({ dueMs }: { readonly dueMs: number }): number {
  return dueMs
}
