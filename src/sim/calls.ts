/**
 * The table of calls that are somewhere on their way. A row is used again once its client has settled it and no event
 * names it any more; a downstream may still be working on a call that its client gave up long ago.
 */
import type { Outcome } from './scenario.ts'

/** The client of calls that are not ours. */
export const NOBODY = 0xffff

export class Calls {
  client = new Uint16Array(1024)
  sentMs = new Float64Array(1024)
  /** When the record of the call came from the source. */
  recordMs = new Float64Array(1024)
  /** Tells a row's call from the one that had the row before. */
  serial = new Uint32Array(1024)
  /** The client has told its gate how the call ended. */
  settled = new Uint8Array(1024)
  /** Events and queue places that name the row. */
  #holds = new Uint8Array(1024)
  /** The pauses that the downstream had when it began with the call, see `downstream.ts`. */
  pausedMs = new Float64Array(1024)
  /** A server works on the call. */
  serving = new Uint8Array(1024)
  readonly permit: unknown[] = []
  readonly outcome: (Outcome | undefined)[] = []

  #free = new Int32Array(1024)
  #freeCount = 0
  #used = 0
  #serials = 0

  /** Rows in use, whether by a client or by the downstream alone. */
  get size(): number {
    return this.#used - this.#freeCount
  }

  open(client: number, nowMs: number, recordMs: number): number {
    if (this.#freeCount === 0 && this.#used === this.client.length) this.#grow()
    const call = this.#freeCount > 0 ? (this.#free[--this.#freeCount] as number) : this.#used++
    this.client[call] = client
    this.sentMs[call] = nowMs
    this.recordMs[call] = recordMs
    this.serial[call] = ++this.#serials
    this.settled[call] = 0
    this.serving[call] = 0
    this.#holds[call] = 0
    this.outcome[call] = undefined
    return call
  }

  hold(call: number): void {
    this.#holds[call] = (this.#holds[call] as number) + 1
  }

  release(call: number): void {
    this.#holds[call] = (this.#holds[call] as number) - 1
    this.#freeIfDone(call)
  }

  settle(call: number): void {
    this.settled[call] = 1
    this.permit[call] = undefined
    this.#freeIfDone(call)
  }

  #freeIfDone(call: number): void {
    if (this.#holds[call] !== 0 || this.settled[call] !== 1) return
    this.#free[this.#freeCount++] = call
  }

  #grow(): void {
    const length = this.client.length * 2
    const wider = <T extends Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array>(from: T, to: T): T => {
      to.set(from)
      return to
    }
    this.client = wider(this.client, new Uint16Array(length))
    this.sentMs = wider(this.sentMs, new Float64Array(length))
    this.recordMs = wider(this.recordMs, new Float64Array(length))
    this.serial = wider(this.serial, new Uint32Array(length))
    this.settled = wider(this.settled, new Uint8Array(length))
    this.#holds = wider(this.#holds, new Uint8Array(length))
    this.pausedMs = wider(this.pausedMs, new Float64Array(length))
    this.serving = wider(this.serving, new Uint8Array(length))
    this.#free = wider(this.#free, new Int32Array(length))
  }
}
