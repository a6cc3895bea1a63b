/**
 * Runs a scenario from a seed: takes one event after the other off the agenda and gives it to the part of the world
 * that it is for. The same scenario, seed and gates give the same record, bit for bit.
 */
import { SeededRandom } from '../control/random.ts'
import { Agenda } from './agenda.ts'
import { Calls } from './calls.ts'
import { Client, type World } from './client.ts'
import { Downstream } from './downstream.ts'
import { ANSWER, ARRIVE, FINISH, OTHERS, PAUSE, PHASE, RECORD, SAMPLE, TIMEOUT, WAKE, WALK } from './events.ts'
import { Network } from './network.ts'
import { PhaseRecord, RunRecord, SAMPLE_MS } from './record.ts'
import type { Gate, Phase, Scenario } from './scenario.ts'
import { Source } from './source.ts'

/** Makes the gate of a client at time 0. */
export type MakeGate = (client: number, nowMs: number) => Gate

/** Told when a phase begins, before anything happens in it: an oracle knows the times of change. */
export type OnPhase = (phase: number, gates: readonly Gate[]) => void

export class Simulation {
  readonly scenario: Scenario
  readonly record = new RunRecord()
  readonly downstream: Downstream
  readonly clients: Client[] = []
  readonly calls = new Calls()
  readonly #agenda: Agenda
  readonly #network: Network
  readonly #onPhase: OnPhase | undefined
  #phase = -1

  constructor(scenario: Scenario, seed: number, makeGate: MakeGate, onPhase?: OnPhase) {
    this.scenario = scenario
    this.#onPhase = onPhase
    this.#agenda = new Agenda(seed ^ 0xa6e9da)
    this.#network = new Network(new SeededRandom(seed ^ 0x4e7303))
    this.downstream = new Downstream(this.#agenda, this.calls, this.#network, seed)
    const world: World = { agenda: this.#agenda, calls: this.calls, network: this.#network, record: this.record }
    const count = scenario.clients ?? 1
    for (let client = 0; client < count; client += 1) {
      const random = new SeededRandom(Math.imul(seed ^ 0x50c4ce, client + 1))
      const source = new Source(scenario.source ?? { kind: 'endless' }, 1 / count, random)
      const timeoutMs = scenario.timeoutMs ?? Number.POSITIVE_INFINITY
      this.clients.push(new Client(world, client, makeGate(client, 0), source, timeoutMs))
    }
  }

  /** To the end of the last phase. */
  run(): RunRecord {
    const { scenario } = this
    const endMs = scenario.phases.reduce((sum, phase) => sum + phase.durationMs, 0)
    this.#beginPhase()
    this.#agenda.schedule(SAMPLE_MS, SAMPLE, 0)
    for (const client of this.clients) client.start()
    const agenda = this.#agenda
    while (agenda.nextMs < endMs && agenda.next()) {
      this.record.events += 1
      this.#take(agenda.kind, agenda.argument)
    }
    return this.record
  }

  #take(kind: number, argument: number): void {
    switch (kind) {
      case ARRIVE:
        this.downstream.arrive(argument)
        break
      case FINISH:
        this.downstream.finish(argument)
        break
      case ANSWER:
        this.#client(this.calls.client[argument] as number).answered(argument)
        break
      case WAKE:
        this.#client(argument).wake()
        break
      case TIMEOUT:
        this.#client(argument).timeOut()
        break
      case RECORD:
        this.#client(argument).recordArrives()
        break
      case PHASE:
        this.#beginPhase()
        break
      case SAMPLE:
        this.#sample()
        break
      case PAUSE:
        this.#again(kind, argument, () => this.downstream.pause())
        break
      case OTHERS:
        this.#again(kind, argument, () => this.downstream.others())
        break
      case WALK:
        this.#again(kind, argument, () => this.#network.step())
        break
    }
  }

  #client(number: number): Client {
    return this.clients[number] as Client
  }

  /** What goes on by itself, as long as the phase that began it lasts. */
  #again(kind: number, phase: number, happen: () => number): void {
    if (phase !== this.#phase) return
    const waitMs = happen()
    if (waitMs < Number.POSITIVE_INFINITY) this.#agenda.schedule(this.#agenda.nowMs + waitMs, kind, phase)
  }

  #beginPhase(): void {
    const agenda = this.#agenda
    this.#phase += 1
    const number = this.#phase
    const phase = this.scenario.phases[number] as Phase
    this.record.phases.push(new PhaseRecord(phase.name, agenda.nowMs, phase.durationMs, this.clients.length))
    this.#network.change(phase.network)
    this.downstream.change(phase, number)
    if (phase.network.walk !== undefined) {
      agenda.schedule(agenda.nowMs + phase.network.walk.everyMs, WALK, number)
    }
    if (number + 1 < this.scenario.phases.length) agenda.schedule(agenda.nowMs + phase.durationMs, PHASE, 0)
    this.#onPhase?.(
      number,
      this.clients.map((client) => client.gate),
    )
    // A gate whose limit was just raised from outside sends at once.
    if (number > 0) for (const client of this.clients) client.pump()
  }

  #sample(): void {
    let inFlight = 0
    let limit = 0
    for (const client of this.clients) {
      inFlight += client.inFlight
      limit += client.gate.snapshot().limit
    }
    this.record.sample(inFlight, limit)
    this.#agenda.schedule(this.#agenda.nowMs + SAMPLE_MS, SAMPLE, 0)
  }
}

export function simulate(scenario: Scenario, seed: number, makeGate: MakeGate, onPhase?: OnPhase): RunRecord {
  return new Simulation(scenario, seed, makeGate, onPhase).run()
}
