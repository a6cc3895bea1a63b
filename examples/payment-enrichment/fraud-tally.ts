/**
 * What the fraud API counts about itself: the ground truth that consumers are judged by. `fraud-api.ts` reports every
 * request to it; `GET /stats` shows `FraudStats`. A payment counts as completed when its caller was still there to
 * take the answer.
 */
import type { Payment } from './payment.ts'

export interface FraudStats {
  readonly startedAtMs: number
  readonly nowMs: number
  readonly capacityPerMinute: number
  /** Requests for a score, refused ones included. */
  readonly attempts: number
  /** When the first of them came; null before that. */
  readonly firstAttemptAtMs: number | null
  /** Answered with a score. */
  readonly completed: number
  /** Distinct payments among them, and answers beyond the first for the same payment. */
  readonly unique: number
  readonly duplicates: number
  /** First answers that came after a later payment of the same account had been answered. */
  readonly orderViolations: number
  readonly quota429: number
  readonly overload503: number
  /** Scored, but the caller had gone: a timeout or a crash on the other side. */
  readonly abandoned: number
  readonly inFlight: number
  readonly maxInFlight: number
  /** Completions in each whole second since the start, the last ten minutes of them, oldest first. */
  readonly completedPerSecond: readonly number[]
}

const HISTORY_SECONDS = 600

export class FraudTally {
  readonly #capacityPerMinute: number
  readonly #startedAtMs: number
  readonly #answers = new Map<string, number>()
  readonly #lastSequence = new Map<string, number>()
  readonly #history: number[] = []
  #historyBegins = 0
  #firstAttemptAtMs: number | null = null
  #attempts = 0
  #completed = 0
  #orderViolations = 0
  #quota429 = 0
  #overload503 = 0
  #abandoned = 0
  #inFlight = 0
  #maxInFlight = 0

  constructor(capacityPerMinute: number, startedAtMs: number) {
    this.#capacityPerMinute = capacityPerMinute
    this.#startedAtMs = startedAtMs
  }

  attempted(nowMs: number): void {
    this.#firstAttemptAtMs ??= nowMs
    this.#attempts += 1
  }

  refused(reason: 'quota' | 'overload'): void {
    if (reason === 'quota') this.#quota429 += 1
    else this.#overload503 += 1
  }

  admitted(): void {
    this.#inFlight += 1
    this.#maxInFlight = Math.max(this.#maxInFlight, this.#inFlight)
  }

  abandoned(): void {
    this.#inFlight -= 1
    this.#abandoned += 1
  }

  completed(payment: Payment, nowMs: number): void {
    this.#inFlight -= 1
    this.#completed += 1
    const answers = (this.#answers.get(payment.paymentId) ?? 0) + 1
    this.#answers.set(payment.paymentId, answers)
    if (answers === 1) {
      const last = this.#lastSequence.get(payment.accountId) ?? 0
      if (payment.sequence < last) this.#orderViolations += 1
      else this.#lastSequence.set(payment.accountId, payment.sequence)
    }
    this.#advance(nowMs)
    this.#history[this.#history.length - 1]! += 1
  }

  /** The ids of all payments that were answered at least once. */
  answered(): Iterable<string> {
    return this.#answers.keys()
  }

  stats(nowMs: number): FraudStats {
    this.#advance(nowMs)
    return {
      startedAtMs: this.#startedAtMs,
      nowMs,
      capacityPerMinute: this.#capacityPerMinute,
      attempts: this.#attempts,
      firstAttemptAtMs: this.#firstAttemptAtMs,
      completed: this.#completed,
      unique: this.#answers.size,
      duplicates: this.#completed - this.#answers.size,
      orderViolations: this.#orderViolations,
      quota429: this.#quota429,
      overload503: this.#overload503,
      abandoned: this.#abandoned,
      inFlight: this.#inFlight,
      maxInFlight: this.#maxInFlight,
      completedPerSecond: this.#history.slice(0, -1),
    }
  }

  /** Brings the history up to the present second, whose count is its last entry. */
  #advance(nowMs: number): void {
    const second = Math.max(0, Math.floor((nowMs - this.#startedAtMs) / 1000))
    while (this.#historyBegins + this.#history.length <= second) this.#history.push(0)
    const surplus = this.#history.length - HISTORY_SECONDS
    if (surplus > 0) {
      this.#history.splice(0, surplus)
      this.#historyBegins += surplus
    }
  }
}
