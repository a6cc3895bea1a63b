/**
 * Which batches of a fetch belong to aborted transactions. `decode.ts` asks it about each batch in offset order.
 * Invariant: the list is the broker's own for just this fetch; a producer's batches are left out from the first offset
 * of its aborted transaction to the marker that ends it (Apache Kafka's consumer does the same, KIP-98).
 */

/** As the fetch response has them. */
export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: bigint
}

export class AbortedTransactions {
  /** By rising first offset. */
  readonly #coming: AbortedTransaction[]
  readonly #open = new Set<bigint>()
  #next = 0

  constructor(transactions: readonly AbortedTransaction[]) {
    this.#coming = [...transactions].sort((a, b) => Number(a.firstOffset - b.firstOffset))
  }

  /** True when the batch of this producer that ends at `lastOffset` was aborted. */
  covers(producerId: bigint, lastOffset: number): boolean {
    this.#advance(lastOffset)
    return this.#open.has(producerId)
  }

  /** The marker that ends an aborted transaction. */
  end(producerId: bigint, lastOffset: number): void {
    this.#advance(lastOffset)
    this.#open.delete(producerId)
  }

  #advance(lastOffset: number): void {
    for (; this.#next < this.#coming.length; this.#next += 1) {
      const { producerId, firstOffset } = this.#coming[this.#next] as AbortedTransaction
      if (Number(firstOffset) > lastOffset) return
      this.#open.add(producerId)
    }
  }
}
