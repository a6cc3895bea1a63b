/**
 * Items between two attempts at one stage: in backoff until they are due, then handed on to their line, which starts
 * them ahead of new work as soon as the retry budget pays. Overload and a lost connection cost no budget: their own
 * gates hold them back.
 */
import { backoffMs } from '../control/backoff.ts'
import { RetryBudget } from '../control/retry-budget.ts'
import type { HeadgateError } from '../model/errors.ts'
import type { RetryPlan } from '../model/plan.ts'
import { retryAfterOf } from './attempt.ts'
import type { CallLine, Retry } from './call-line.ts'
import { dueAt, Heap } from './heap.ts'
import type { Item } from './item.ts'

const TIMEOUT_COST = 2

export class Retries {
  readonly #plan: RetryPlan
  readonly #budget: RetryBudget
  readonly #backoff = new Heap<Retry>(dueAt)
  #bytes = 0
  #successes = 0
  /** What those of them that were retries had paid. */
  #refunded = 0

  constructor(plan: RetryPlan, nowMs: number) {
    this.#plan = plan
    this.#budget = new RetryBudget(plan.budget, nowMs)
  }

  /** In backoff. */
  get waiting(): number {
    return this.#backoff.size
  }

  get bytes(): number {
    return this.#bytes
  }

  add(item: Item, line: CallLine, error: HeadgateError, nowMs: number, uniform: number): void {
    const delayMs = backoffMs(this.#plan.backoff, item.attempt, uniform)
    const cost = error.scope === 'downstream' ? 0 : error.code === 'HG_TIMEOUT' ? TIMEOUT_COST : 1
    this.#backoff.push({ item, line, dueMs: nowMs + Math.max(delayMs, retryAfterOf(error)), cost })
    this.#bytes += item.bytes
  }

  /**
   * An attempt succeeded that had paid `paid`, 0 for a first one. The budget hears of it once a loop: kept any longer, old
   * successes would count as new.
   */
  succeeded(paid: number): void {
    this.#successes += 1
    this.#refunded += paid
  }

  /** Hands on what is due. */
  collect(nowMs: number, onDue: (retry: Retry) => void): void {
    if (this.#successes > 0) this.#budget.deposit(this.#successes, nowMs, this.#refunded)
    this.#successes = 0
    this.#refunded = 0
    while ((this.#backoff.peek()?.dueMs ?? Number.POSITIVE_INFINITY) <= nowMs) {
      const retry = this.#backoff.pop() as Retry
      this.#bytes -= retry.item.bytes
      onDue(retry)
    }
  }

  /** 0 when the budget pays for it, else ms until it does. */
  budgetWaitMs({ cost }: Retry, nowMs: number): number {
    return cost === 0 ? 0 : this.#budget.waitMs(cost, nowMs)
  }

  /** The caller has seen `budgetWaitMs` return 0. */
  pay({ cost }: Retry): void {
    this.#budget.take(cost)
  }

  nextDueMs(): number {
    return this.#backoff.peek()?.dueMs ?? Number.POSITIVE_INFINITY
  }

  /** Takes out those in backoff for which `drop` is true, and returns them. */
  purge(drop: (item: Item) => boolean): Retry[] {
    const dropped: Retry[] = []
    this.#backoff.retain((retry) => {
      if (!drop(retry.item)) return true
      dropped.push(retry)
      this.#bytes -= retry.item.bytes
      return false
    })
    return dropped
  }
}
