/**
 * Items between two attempts at one stage: in backoff until they are due, then ready, ahead of new work, as soon as
 * the retry budget pays for them. Overload and a lost connection cost no budget: their own gates hold them back.
 */
import { backoffMs } from '../control/backoff.ts'
import { RetryBudget } from '../control/retry-budget.ts'
import type { HeadgateError } from '../model/errors.ts'
import type { RetryPlan } from '../model/plan.ts'
import { retryAfterOf } from './attempt.ts'
import type { Item } from './item.ts'
import { Ring } from './ring.ts'
import { TimerHeap } from './timer-heap.ts'

const TIMEOUT_COST = 2

interface Retry {
  readonly item: Item
  readonly dueMs: number
  readonly cost: number
}

export class Retries {
  readonly #plan: RetryPlan
  readonly #budget: RetryBudget
  readonly #backoff = new TimerHeap<Retry>()
  readonly #ready = new Ring<Retry>()
  #bytes = 0
  #successes = 0

  constructor(plan: RetryPlan, nowMs: number) {
    this.#plan = plan
    this.#budget = new RetryBudget(plan.budget, nowMs)
  }

  /** In backoff. */
  get waiting(): number {
    return this.#backoff.size
  }

  /** Due. */
  get ready(): number {
    return this.#ready.size
  }

  get bytes(): number {
    return this.#bytes
  }

  add(item: Item, error: HeadgateError, nowMs: number, uniform: number): void {
    const delayMs = backoffMs(this.#plan.backoff, item.attempt, uniform)
    const cost = error.scope === 'downstream' ? 0 : error.code === 'HG_TIMEOUT' ? TIMEOUT_COST : 1
    this.#backoff.push({ item, dueMs: nowMs + Math.max(delayMs, retryAfterOf(error)), cost })
    this.#bytes += item.bytes
  }

  /** An attempt succeeded. The budget hears of it once a loop: kept any longer, old successes would count as new. */
  succeeded(): void {
    this.#successes += 1
  }

  collect(nowMs: number): void {
    if (this.#successes > 0) this.#budget.deposit(this.#successes, nowMs)
    this.#successes = 0
    for (let first = this.#backoff.peek(); first !== undefined && first.dueMs <= nowMs; first = this.#backoff.peek()) {
      this.#ready.push(this.#backoff.pop() as Retry)
    }
  }

  /** 0 when the budget pays for the next one that is ready, else ms until it does. */
  budgetWaitMs(nowMs: number): number {
    const next = this.#ready.peek() as Retry
    return next.cost === 0 ? 0 : this.#budget.waitMs(next.cost, nowMs)
  }

  /** Pays for the next one and takes it. */
  shift(): Item {
    const { item, cost } = this.#ready.shift() as Retry
    this.#budget.take(cost)
    this.#bytes -= item.bytes
    return item
  }

  nextDueMs(): number {
    return this.#backoff.peek()?.dueMs ?? Number.POSITIVE_INFINITY
  }

  purge(drop: (item: Item) => boolean): Item[] {
    const dropped: Item[] = []
    const keep = ({ item }: Retry): boolean => {
      if (!drop(item)) return true
      dropped.push(item)
      this.#bytes -= item.bytes
      return false
    }
    this.#backoff.retain(keep)
    this.#ready.retain(keep)
    return dropped
  }
}
