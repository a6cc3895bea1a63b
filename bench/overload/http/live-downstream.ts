/**
 * The modelled downstream of `src/sim` in real time: calls come whenever they come, everything inside happens at the
 * instants of the model. A server that is late by a few milliseconds therefore answers late, but its capacity is the
 * model's: a queued call begins when the one before it was due, not when the timer fired.
 *
 * Pure as the model is: times are handed in, in ms since the first phase began, and never fall.
 */
import { SeededRandom } from '../../../src/control/random.ts'
import { Agenda } from '../../../src/sim/agenda.ts'
import { Calls } from '../../../src/sim/calls.ts'
import { Downstream } from '../../../src/sim/downstream.ts'
import { ANSWER, ARRIVE, FINISH, OTHERS, PAUSE, PHASE, SAMPLE, WALK } from '../../../src/sim/events.ts'
import { Network } from '../../../src/sim/network.ts'
import { PhaseRecord, RunRecord, SAMPLE_MS } from '../../../src/sim/record.ts'
import type { Outcome, Phase, Scenario } from '../../../src/sim/scenario.ts'

/** Called once, when the answer is due; never while the downstream hangs, and never after `gone`. */
export type Reply = (outcome: Outcome) => void

/** Names a call; it means nothing any more once the call was answered or given up. */
export interface Ticket {
  readonly call: number
  readonly serial: number
}

const OURS = 0
const GIVEN_UP: Outcome = { kind: 'timeout' }

export class LiveDownstream {
  /** As the server sees it: a call counts as sent when it arrives, and as a success when its answer goes out. */
  readonly record = new RunRecord()
  /** Calls whose client waits for an answer. */
  waiting = 0
  readonly #phases: readonly Phase[]
  readonly #agenda: Agenda
  readonly #calls = new Calls()
  readonly #network: Network
  readonly #downstream: Downstream
  readonly #replies = new Map<number, Reply>()
  #phase = -1

  constructor({ phases }: Scenario, seed: number) {
    this.#phases = phases
    this.#agenda = new Agenda(seed ^ 0xa6e9da)
    this.#network = new Network(new SeededRandom(seed ^ 0x4e7303))
    this.#downstream = new Downstream(this.#agenda, this.#calls, this.#network, seed)
    this.#beginPhase()
    this.#agenda.schedule(SAMPLE_MS, SAMPLE, 0)
  }

  /** When `advance` has something to do next. */
  get nextMs(): number {
    return this.#agenda.nextMs
  }

  /** All phases are over. What happens from now on is in a record of its own at the end of the list. */
  get isOver(): boolean {
    return this.#phase >= this.#phases.length
  }

  /** Calls that hold a server or wait for one, also those that nobody waits for any more. */
  get inside(): number {
    return this.#downstream.busy + this.#downstream.queued
  }

  arrive(nowMs: number, reply: Reply): Ticket {
    this.advance(nowMs)
    const call = this.#calls.open(OURS, nowMs, nowMs)
    const ticket = { call, serial: this.#calls.serial[call] as number }
    this.#calls.hold(call)
    this.#replies.set(call, reply)
    this.waiting += 1
    this.record.phase.attempts += 1
    this.#agenda.schedule(nowMs + this.#network.oneWayMs, ARRIVE, call)
    this.advance(nowMs)
    return ticket
  }

  /** The client gave the call up; the downstream works on it all the same. */
  gone({ call, serial }: Ticket, nowMs: number): void {
    this.advance(nowMs)
    if (this.#calls.serial[call] !== serial || this.#calls.settled[call] === 1) return
    this.record.waste(GIVEN_UP)
    this.#settle(call)
  }

  /** Lets everything happen that is due by now. */
  advance(nowMs: number): void {
    const agenda = this.#agenda
    while (agenda.nextMs <= nowMs && agenda.next()) this.#take(agenda.kind, agenda.argument)
  }

  #take(kind: number, argument: number): void {
    switch (kind) {
      case ARRIVE:
        this.#downstream.arrive(argument)
        break
      case FINISH:
        this.#downstream.finish(argument)
        break
      case ANSWER:
        this.#answer(argument)
        break
      case PHASE:
        this.#beginPhase()
        break
      case SAMPLE:
        this.record.sample(this.waiting, 0)
        if (!this.isOver) this.#agenda.schedule(this.#agenda.nowMs + SAMPLE_MS, SAMPLE, 0)
        break
      case PAUSE:
        this.#again(kind, argument, () => this.#downstream.pause())
        break
      case OTHERS:
        this.#again(kind, argument, () => this.#downstream.others())
        break
      case WALK:
        this.#again(kind, argument, () => this.#network.step())
        break
    }
  }

  #answer(call: number): void {
    if (this.#calls.settled[call] === 0) {
      const outcome = this.#calls.outcome[call] as Outcome
      const tookMs = this.#agenda.nowMs - (this.#calls.sentMs[call] as number)
      if (outcome.kind === 'success') this.record.success(OURS, tookMs, tookMs)
      else this.record.waste(outcome)
      const reply = this.#replies.get(call) as Reply
      this.#settle(call)
      reply(outcome)
    }
    this.#calls.release(call)
  }

  #settle(call: number): void {
    this.#replies.delete(call)
    this.waiting -= 1
    this.#calls.settle(call)
  }

  /** What goes on by itself, as long as the phase that began it lasts. */
  #again(kind: number, phase: number, happen: () => number): void {
    if (phase !== this.#phase) return
    const waitMs = happen()
    if (waitMs < Number.POSITIVE_INFINITY) this.#agenda.schedule(this.#agenda.nowMs + waitMs, kind, phase)
  }

  #beginPhase(): void {
    const { nowMs } = this.#agenda
    this.#phase += 1
    const phase = this.#phases[this.#phase]
    this.record.phases.push(new PhaseRecord(phase?.name ?? 'over', nowMs, phase?.durationMs ?? 0, 1))
    if (phase === undefined) return
    this.#network.change(phase.network)
    this.#downstream.change(phase, this.#phase)
    if (phase.network.walk !== undefined) this.#agenda.schedule(nowMs + phase.network.walk.everyMs, WALK, this.#phase)
    this.#agenda.schedule(nowMs + phase.durationMs, PHASE, 0)
  }
}
