/**
 * The modelled transactions of a simulated world: what was written since the last end becomes visible together with
 * the progress of the sources, or not at all. It knows every output that ever became visible, and so whether one of
 * them did twice, or without its record being done.
 */
import type { Progress } from '../../src/engine/commands.ts'
import type { Write } from '../../src/engine/write.ts'
import { HeadgateError } from '../../src/model/errors.ts'
import type { SinkPlan } from '../../src/model/plan.ts'
import type { Broker, BrokerPartition } from './broker.ts'
import type { Delivery, Value } from './fates.ts'
import { tokensOf } from './fates.ts'
import { Violation } from './oracle.ts'

/** An output in the open transaction: what to do once it is visible, and which deliveries it is of. */
interface Output {
  readonly id: string
  readonly delivery: Delivery
  readonly apply: () => void
}

export class TransactionModel {
  readonly #brokers: readonly Broker[]
  readonly #visible = new Set<string>()
  /** By write, in the order in which they were begun: within a transaction writes keep their order. */
  #open = new Map<Write, Output[]>()
  /** Transactions that became visible, and those that did not. */
  commits = 0
  aborts = 0
  /** Outputs of the largest one. */
  mostOutputs = 0

  constructor(brokers: readonly Broker[]) {
    this.#brokers = brokers
  }

  began(write: Write): void {
    this.#open.set(write, [])
  }

  wrote(write: Write, plan: SinkPlan, value: Value, apply: () => void): void {
    const [first, ...others] = tokensOf(value).map(({ delivery, path }) => ({
      id: `${delivery.record.id}${path} in '${plan.name}'`,
      delivery,
    }))
    this.#open.get(write)!.push({ ...first!, apply }, ...others.map((other) => ({ ...other, apply: () => {} })))
  }

  wroteLetter(write: Write, delivery: Delivery, stage: string, apply: () => void): void {
    delivery.heldLetters.add(stage)
    this.#open.get(write)!.push({ id: `a dead letter of ${delivery.record.id} at '${stage}'`, delivery, apply })
  }

  abort(): void {
    if (this.#open.size > 0) this.aborts += 1
    this.#open = new Map()
  }

  /** All or nothing. `judge` looks at the positions once the outputs are visible and before they are stored. */
  commit(progress: readonly Progress[], letters: 'once' | 'often', judge: (progress: Progress) => void): void {
    const outputs = [...this.#open.values()].flat()
    this.#open = new Map()
    for (const { source, positions } of progress)
      for (const { partition: name, epoch } of positions)
        if (this.#partition(source, name).epoch !== epoch || this.#partition(source, name).state === 'unowned') {
          this.aborts += 1
          throw new HeadgateError('HG_COMMIT_FAILED', `${name} is not at epoch ${epoch} any more`)
        }
    this.commits += 1
    this.mostOutputs = Math.max(this.mostOutputs, outputs.length)
    for (const { id, apply } of outputs) {
      if (this.#visible.has(id) && (letters === 'once' || !id.startsWith('a dead letter')))
        throw new Violation(`promise 11: ${id} becomes visible a second time`)
      this.#visible.add(id)
      apply()
    }
    for (const each of progress) judge(each)
    for (const { source, positions } of progress) this.#brokers[source]!.commit(positions)
    for (const { id, delivery } of outputs) {
      const { source, partition, offset } = delivery.record
      if (!this.#partition(source, partition).isCommittedDone(offset))
        throw new Violation(`promise 11: ${id} is visible, and a crash would repeat it`)
    }
  }

  #partition(source: number, name: string): BrokerPartition {
    return this.#brokers[source]!.partition(name)
  }
}
