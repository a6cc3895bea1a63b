/**
 * One topic, its load, the members that work on it and the judge of what they did: what every test of faults is made
 * of. Invariant: `finish` has seen everything, and the load has stopped before.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Load, type LoadOptions } from './load.ts'
import { Member, takeAll } from './members.ts'
import type { MemberOptions } from './setup.ts'
import { Stored } from './stored.ts'
import { Timeline } from './timeline.ts'

/** How far the load keeps ahead of the calls. */
const AHEAD_RECORDS = 400
/** Of the members' logs, with what was broken. */
const MOST_LOG_LINES = 200
export const SEED = Number(process.env['HEADGATE_SEED'] ?? Date.now() % 1_000_000)
export const LONG = process.env['HEADGATE_LONG'] === '1'

export interface TrialOptions extends Omit<LoadOptions, 'seed' | 'topic'> {
  /** The topic's name. */
  readonly name: string
  /** Where members connect. */
  readonly brokers: readonly string[]
  /** Where the load is written and the evidence is read, if elsewhere. */
  readonly direct?: readonly string[]
  readonly member?: Partial<MemberOptions>
  /** Whether never more than one member runs at a time. */
  readonly alone: boolean
}

export class Trial {
  readonly members: Member[] = []
  readonly timeline: Timeline
  readonly load: Load
  readonly #options: TrialOptions
  readonly #stored: Stored

  private constructor(options: TrialOptions, load: Load) {
    this.#options = options
    this.load = load
    this.timeline = new Timeline(options.partitions)
    this.#stored = new Stored(options.direct ?? options.brokers, options.name)
  }

  static async begin(options: TrialOptions): Promise<Trial> {
    const { name, brokers, direct = brokers } = options
    const trial = new Trial(options, await Load.into(direct, { ...options, topic: name, seed: SEED }))
    trial.load.start(() => trial.load.stored - trial.done < AHEAD_RECORDS)
    return trial
  }

  /** Results that members have told, those that are told twice included. */
  get done(): number {
    return this.members.reduce((sum, { ended }) => sum + ended, 0)
  }

  join(options: Partial<MemberOptions> = {}): Member {
    const { brokers, name, member } = this.#options
    const joined = new Member({ brokers, topic: name, ...member, ...options })
    this.members.push(joined)
    return joined
  }

  /** Resolves when so many more results were told, by all members together. */
  async progress(results = 200): Promise<void> {
    const goal = this.done + results
    while (this.done < goal) {
      this.#check()
      if (this.members.every(({ isOver }) => isOver)) throw new Error('no member is running')
      await sleep(20)
    }
  }

  /** Stops the load, lets the members finish, and throws at the first promise that was broken. */
  async finish(): Promise<void> {
    await this.load.stop()
    do {
      this.#check()
      if (this.members.every(({ isOver }) => isOver)) throw new Error('no member is running')
      await sleep(100)
      if (this.#options.alone) await this.judge()
    } while (this.#options.alone ? this.timeline.left > 0 : (await this.#committed()) < this.load.stored)
    await Promise.all(this.members.filter(({ isOver }) => !isOver).map((member) => member.drain()))
    await this.judge()
    this.load.close()
    this.timeline.finish()
  }

  async judge(): Promise<void> {
    // In this order: what is committed has been told before, and what is told has been stored before.
    const commits = await this.#stored.commits()
    const told = takeAll(this.members)
    const records = await this.#stored.records()
    try {
      this.timeline.judge({ ...told, stored: records, commits }, { alone: this.#options.alone })
    } catch (cause) {
      const log = this.members.flatMap((member) => member.log()).sort()
      const text = `HEADGATE_SEED=${SEED}, ${this.#options.name}: ${(cause as Error).message}`
      throw new Error([text, ...log.slice(-MOST_LOG_LINES)].join('\n'), { cause })
    }
  }

  /** The longest time in which no member started a call, while records were waiting, milliseconds. */
  longestPauseMs(): number {
    const times = this.members.flatMap(({ called }) => called.map(([atUs]) => atUs)).sort((a, b) => a - b)
    return Math.round(Math.max(...times.map((atUs, index) => atUs - (times[index - 1] ?? atUs))) / 1_000)
  }

  /** For the report of a test. */
  summary(): string {
    const { started, redone, commits } = this.timeline.totals
    return `HEADGATE_SEED=${SEED}: ${this.load.stored} records, ${started} calls, ${redone} of them again, ${commits} commits of partitions`
  }

  #check(): void {
    for (const member of this.members) member.check()
  }

  /** The sum of the committed offsets. */
  async #committed(): Promise<number> {
    const latest = new Map<number, number>()
    for (const { partition, nextOffset } of await new Stored(
      this.#options.direct ?? this.#options.brokers,
      this.#options.name,
    ).commits())
      latest.set(partition, nextOffset)
    return [...latest.values()].reduce((sum, each) => sum + each, 0)
  }
}
