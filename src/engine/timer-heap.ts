/** A binary min-heap of things that are due at a time. Equal times keep no order. */
export interface Due {
  readonly dueMs: number
}

export class TimerHeap<T extends Due> {
  readonly #heap: T[] = []

  get size(): number {
    return this.#heap.length
  }

  peek(): T | undefined {
    return this.#heap[0]
  }

  push(entry: T): void {
    const heap = this.#heap
    let at = heap.push(entry) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if ((heap[parent] as T).dueMs <= entry.dueMs) break
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
    let at = 0
    for (;;) {
      let child = at * 2 + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && (heap[child + 1] as T).dueMs < (heap[child] as T).dueMs) child += 1
      if ((heap[child] as T).dueMs >= last.dueMs) break
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
}
