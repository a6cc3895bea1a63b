/**
 * The calls of one key: its Controller, and those that wait for their turn. It asks the Controller whenever a call ends
 * and at the instants that the Controller names. Retries stand in a line of their own, ahead of first calls, so that an
 * empty retry budget holds up nothing else. Invariant: there is a timer only while something waits, and then one.
 */
import type { Controller } from '../control/controller.ts'
import type { AttemptOutcome, Permit } from '../control/limiter.ts'
import { type Waiter, WaitingLine } from './waiting-line.ts'
import type { LimitWorld } from './world.ts'

type Grant = (permit: Permit) => void

export class Lane {
  readonly controller: Controller
  readonly #world: LimitWorld
  readonly #retries = new WaitingLine<Grant>()
  readonly #first = new WaitingLine<Grant>()
  readonly #ring = (): void => {
    this.#takeBack = null
    this.#pump()
  }
  #takeBack: (() => void) | null = null
  #ringMs = Number.POSITIVE_INFINITY

  constructor(controller: Controller, world: LimitWorld) {
    this.controller = controller
    this.#world = world
  }

  get waiting(): number {
    return this.#retries.length + this.#first.length
  }

  /** Whether a key can be forgotten. Asking makes the Controller give up calls that never end. */
  isIdle(nowMs: number): boolean {
    if (this.waiting > 0) return false
    this.controller.admit(nowMs)
    return this.controller.inFlight === 0
  }

  /** A permit when the call may be made at once, ahead of nobody; else null. */
  tryEnter(retry: boolean): Permit {
    if ((retry ? this.#retries : this.#first).length > 0) return null
    const nowMs = this.#world.nowMs()
    if (retry) return this.controller.admitRetry(nowMs) === 0 ? this.controller.sentRetry(nowMs) : null
    return this.controller.admit(nowMs) === 0 ? this.controller.sent(nowMs) : null
  }

  /** Waits; `grant` is called with the permit and must not throw. */
  join(retry: boolean, grant: Grant): Waiter<Grant> {
    const waiter = (retry ? this.#retries : this.#first).join(grant)
    this.#pump()
    return waiter
  }

  leave(waiter: Waiter<Grant>): boolean {
    if (waiter.line?.leave(waiter) !== true) return false
    this.#pump()
    return true
  }

  settled(permit: Permit, outcome: AttemptOutcome): void {
    this.controller.settled(permit, this.#world.nowMs(), outcome)
    if (this.waiting > 0) this.#pump()
  }

  /** Lets in whoever may go now, and sees to it that the rest is asked for in time. */
  #pump(): void {
    const { controller } = this
    const nowMs = this.#world.nowMs()
    for (;;) {
      const retryMs = this.#retries.length === 0 ? Number.POSITIVE_INFINITY : controller.admitRetry(nowMs)
      if (retryMs === 0) {
        this.#retries.shift()?.(controller.sentRetry(nowMs))
        continue
      }
      const firstMs = this.#first.length === 0 ? Number.POSITIVE_INFINITY : controller.admit(nowMs)
      if (firstMs > 0) {
        this.#expect(Math.min(retryMs, firstMs), nowMs)
        return
      }
      this.#first.shift()?.(controller.sent(nowMs))
    }
  }

  #expect(askMs: number, nowMs: number): void {
    if (this.waiting === 0) {
      this.#silence()
      return
    }
    // A call that never ends must not hold up the others for ever.
    const ringMs = Number.isFinite(askMs) ? askMs : nowMs + this.controller.patienceMs(nowMs)
    // One that rings too early does no harm: it asks again.
    if (this.#takeBack !== null && this.#ringMs <= ringMs) return
    this.#silence()
    this.#ringMs = ringMs
    this.#takeBack = this.#world.setTimer(ringMs - nowMs, this.#ring)
  }

  #silence(): void {
    this.#takeBack?.()
    this.#takeBack = null
  }
}
