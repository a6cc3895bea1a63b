/**
 * A client of the downstream: sends records of its source whenever its gate says so, gives calls up after the
 * time-out, and puts a record whose call failed back to the front of its backlog. What the gate does is its own; the
 * client adds no waiting.
 */
import type { Agenda } from './agenda.ts'
import type { Calls } from './calls.ts'
import { ARRIVE, RECORD, TIMEOUT, WAKE } from './events.ts'
import type { Network } from './network.ts'
import type { RunRecord } from './record.ts'
import { NumberRing } from './ring.ts'
import type { Gate, Outcome } from './scenario.ts'
import type { Source } from './source.ts'

const TIMED_OUT: Outcome = { kind: 'timeout' }

/** A client has so many sockets at most, whatever its gate says. */
const MAX_IN_FLIGHT = 50_000

/** A gate that is not ready at the moment it named is asked again after this time, so that the clock always moves. */
const LEAST_WAIT_MS = 0.01

export interface World {
  readonly agenda: Agenda
  readonly calls: Calls
  readonly network: Network
  readonly record: RunRecord
}

export class Client {
  inFlight = 0
  readonly gate: Gate
  readonly source: Source
  readonly #world: World
  readonly #number: number
  readonly #timeoutMs: number
  /** Calls in the order they were sent, as pairs of row and serial; only where there is a time-out. */
  readonly #sent = new NumberRing()
  #timeoutDueMs = Number.POSITIVE_INFINITY
  #wakeMs = Number.POSITIVE_INFINITY

  constructor(world: World, number: number, gate: Gate, source: Source, timeoutMs: number) {
    this.#world = world
    this.#number = number
    this.gate = gate
    this.source = source
    this.#timeoutMs = timeoutMs
  }

  start(): void {
    this.#expectRecord()
    this.pump()
  }

  wake(): void {
    if (this.#wakeMs <= this.#world.agenda.nowMs) this.#wakeMs = Number.POSITIVE_INFINITY
    this.pump()
  }

  recordArrives(): void {
    this.source.arrive(this.#world.agenda.nowMs)
    this.#expectRecord()
    this.pump()
  }

  pump(): void {
    const { agenda } = this.#world
    const { nowMs } = agenda
    while (!this.source.isEmpty && this.inFlight < MAX_IN_FLIGHT) {
      const answer = this.gate.admit(nowMs)
      if (answer === 0) {
        this.#send(nowMs)
        continue
      }
      const askMs = Math.max(answer, nowMs + LEAST_WAIT_MS)
      if (askMs < this.#wakeMs) {
        this.#wakeMs = askMs
        agenda.schedule(askMs, WAKE, this.#number)
      }
      return
    }
  }

  answered(call: number): void {
    const { calls, agenda, record } = this.#world
    if (calls.settled[call] === 0) {
      const outcome = calls.outcome[call] as Outcome
      const recordMs = calls.recordMs[call] as number
      if (outcome.kind === 'success') {
        record.success(this.#number, agenda.nowMs - (calls.sentMs[call] as number), agenda.nowMs - recordMs)
      }
      this.#settle(call, outcome)
    }
    calls.release(call)
    this.pump()
  }

  /** Gives up every call that has been out for too long. */
  timeOut(): void {
    const { calls, agenda } = this.#world
    const sent = this.#sent
    this.#timeoutDueMs = Number.POSITIVE_INFINITY
    while (sent.size > 0) {
      const call = sent.peek() & 0xffffff
      const serial = Math.floor(sent.peek() / 0x1000000)
      if (calls.serial[call] === serial && calls.settled[call] === 0) {
        const dueMs = (calls.sentMs[call] as number) + this.#timeoutMs
        if (dueMs > agenda.nowMs) {
          this.#expectTimeout(dueMs)
          break
        }
        this.#settle(call, TIMED_OUT)
      }
      sent.shift()
    }
    this.pump()
  }

  #send(nowMs: number): void {
    const { agenda, calls, network, record } = this.#world
    const call = calls.open(this.#number, nowMs, this.source.take(nowMs))
    calls.permit[call] = this.gate.sent(nowMs)
    calls.hold(call)
    this.inFlight += 1
    record.phase.attempts += 1
    agenda.schedule(nowMs + network.oneWayMs, ARRIVE, call)
    if (this.#timeoutMs === Number.POSITIVE_INFINITY) return
    this.#sent.push((calls.serial[call] as number) * 0x1000000 + call)
    this.#expectTimeout(nowMs + this.#timeoutMs)
  }

  #settle(call: number, outcome: Outcome): void {
    const { calls, agenda, record } = this.#world
    const permit = calls.permit[call]
    this.inFlight -= 1
    if (outcome.kind !== 'success') {
      record.waste(outcome)
      this.source.giveBack(calls.recordMs[call] as number)
    }
    calls.settle(call)
    this.gate.settled(permit, agenda.nowMs, outcome)
  }

  #expectTimeout(dueMs: number): void {
    if (this.#timeoutDueMs !== Number.POSITIVE_INFINITY) return
    this.#timeoutDueMs = dueMs
    this.#world.agenda.schedule(dueMs, TIMEOUT, this.#number)
  }

  #expectRecord(): void {
    const nextMs = this.source.nextMs(this.#world.agenda.nowMs)
    if (nextMs < Number.POSITIVE_INFINITY) this.#world.agenda.schedule(nextMs, RECORD, this.#number)
  }
}
