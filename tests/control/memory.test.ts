/** The controller holds no more memory after millions of calls than after some, however they end. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { Controller } from '../../src/control/controller.ts'
import type { AttemptOutcome } from '../../src/control/limiter.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const OUTCOMES: readonly AttemptOutcome[] = [
  { kind: 'success' },
  { kind: 'success', rateLimit: { limit: 1e6, remaining: 9e5, resetMs: 1000 } },
  { kind: 'overloaded', status: 503, retryAfterMs: 3 },
  { kind: 'overloaded', status: 429, retryAfterMs: 2 },
  { kind: 'timeout' },
  { kind: 'failed' },
  { kind: 'ignored', answered: true },
]
/** One call in so many ends otherwise than well, and one in so many never. */
const BAD = 40
const NEVER = 997
const MOST_OPEN = 64
const SERVICE_MS = 20
const CALLS = 100_000
const SPANS = 5
/** Five bytes a call: less than the least that can be kept of each, and more than a worker's own doings in between. */
const MOST_BYTES = 5 * CALLS

/** A client with endless work; what it keeps itself does not grow. */
class Client {
  #nowMs = 0
  readonly #controller: Controller
  readonly #open: { readonly permit: unknown; readonly endMs: number; readonly outcome: AttemptOutcome }[] = []
  #calls = 0

  constructor(controller: Controller) {
    this.#controller = controller
  }

  run(calls: number): void {
    const controller = this.#controller
    for (const until = this.#calls + calls; this.#calls < until; ) {
      const askMs = controller.admit(this.#nowMs)
      if (askMs === 0 && this.#open.length < MOST_OPEN) this.#send()
      else this.#nowMs = Math.min(askMs === 0 ? Number.POSITIVE_INFINITY : askMs, this.#settle())
    }
    controller.snapshot()
  }

  #send(): void {
    this.#calls += 1
    const permit = this.#controller.sent(this.#nowMs)
    if (this.#calls % NEVER === 0) return
    const bad = this.#calls % BAD === 0 ? 1 + ((this.#calls / BAD) % (OUTCOMES.length - 1)) : 0
    const outcome = OUTCOMES[bad] as AttemptOutcome
    this.#open.push({ permit, endMs: this.#nowMs + SERVICE_MS, outcome })
  }

  /** Ends the call that has been open for longest; returns when the next one ends. */
  #settle(): number {
    const call = this.#open.shift()
    // Nothing is open but calls that never end: the controller gives them up.
    if (call === undefined) return this.#nowMs + this.#controller.patienceMs(this.#nowMs) + 1
    this.#controller.settled(call.permit, Math.max(this.#nowMs, call.endMs), call.outcome)
    return Math.max(this.#nowMs, call.endMs)
  }
}

/**
 * Bytes by which the heap is larger after so many calls more: the least of some spans. What is kept of each call shows in
 * all of them, and what the worker does for itself, such as code that it compiles, only in some.
 */
function grownBytes(client: Client): number {
  client.run(CALLS / 2)
  const grown = Array.from({ length: SPANS }, () => {
    const before = heapBytes()
    client.run(CALLS)
    return heapBytes() - before
  })
  return Math.min(...grown)
}

function heapBytes(): number {
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

describe('memory', () => {
  test('does not grow with the calls that were made, however they ended', () => {
    expect(grownBytes(new Client(new Controller({ lostAfterMs: 1000 }, 0)))).toBeLessThan(MOST_BYTES)
  })

  test('would be seen to grow if one number a call were kept', () => {
    // A list of links: the memory of an array grows in steps, and not in every span.
    let kept: { readonly nowMs: number; readonly before: unknown } | null = null
    class Hoarder extends Controller {
      override settled(permit: unknown, nowMs: number, outcome: AttemptOutcome): void {
        kept = { nowMs, before: kept }
        super.settled(permit, nowMs, outcome)
      }
    }
    const grown = grownBytes(new Client(new Hoarder({ lostAfterMs: 1000 }, 0)))
    expect(kept).not.toBeNull()
    expect(grown).toBeGreaterThan(MOST_BYTES)
  })
})
