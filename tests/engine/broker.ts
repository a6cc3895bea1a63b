/**
 * The modelled broker behind one source: partitions of records with gaps, ownership with epochs, and committed
 * positions that survive everything. It also knows of each record whether it is durably done, which is what a commit
 * may cover. It holds to the connector contract; the faults are decided by the world.
 */
import { decodeDoneSet, type Runs } from '../../src/engine/done-set.ts'
import type { Assignment, Credit, Position, RecordBatch, Source } from '../../src/model/connector.ts'
import { HeadgateError } from '../../src/model/errors.ts'
import { NO_HEADERS, type SourceRecord } from '../../src/model/record.ts'
import { Delivery, type StoredRecord } from './fates.ts'

export type Ownership = 'unowned' | 'owned' | 'revoking'

export class BrokerPartition {
  readonly source: number
  readonly name: string
  readonly records: StoredRecord[] = []
  state: Ownership = 'unowned'
  epoch = 0
  /** Index of the next record to deliver in this epoch, and where this epoch began. */
  cursor = 0
  nextOffset = 0
  doneAhead: Uint8Array | null = null
  /** What `doneAhead` says, read by an independent rule: the oracle's own copy. */
  ahead: Runs = []
  /** Delivered in this epoch, in order. */
  delivered: Delivery[] = []
  /** Of those, how many lie below the committed offset. */
  deliveredBelow = 0

  constructor(source: number, name: string) {
    this.source = source
    this.name = name
  }

  get end(): number {
    return this.records.length === 0 ? 0 : (this.records[this.records.length - 1] as StoredRecord).offset + 1
  }

  isCommittedDone(offset: number): boolean {
    if (offset < this.nextOffset) return true
    for (let at = 0; at < this.ahead.length; at += 2)
      if (offset >= (this.ahead[at] as number) && offset < (this.ahead[at + 1] as number)) return true
    return false
  }

  /** Records of this epoch that a crash now would deliver again although they were dispatched. */
  uncommitted(): number {
    let count = 0
    for (let index = this.deliveredBelow; index < this.delivered.length; index += 1) {
      const { record } = this.delivered[index] as Delivery
      if (record.offset < this.nextOffset) this.deliveredBelow = index + 1
      else if (!this.isCommittedDone(record.offset)) count += 1
    }
    return count
  }

  assign(): Assignment {
    this.epoch += 1
    this.state = 'owned'
    this.delivered = []
    this.deliveredBelow = 0
    this.cursor = this.records.findIndex((record) => record.offset >= this.nextOffset)
    if (this.cursor < 0) this.cursor = this.records.length
    return { partition: this.name, epoch: this.epoch, nextOffset: this.nextOffset, doneAhead: this.doneAhead }
  }

  giveUp(): void {
    this.state = 'unowned'
    this.epoch += 1
  }
}

export class Broker {
  readonly index: number
  readonly partitions: BrokerPartition[]
  readonly source: Source
  /** True when it ends once everything was delivered. */
  readonly finite: boolean
  #turn = 0

  constructor(index: number, name: string, partitions: number, options: { metadataBytes: number; finite: boolean }) {
    this.index = index
    this.finite = options.finite
    this.partitions = Array.from({ length: partitions }, (_, at) => new BrokerPartition(index, `${name}/${at}`))
    this.source = contractOnly(name, options.metadataBytes)
  }

  partition(name: string): BrokerPartition {
    return this.partitions.find((partition) => partition.name === name) as BrokerPartition
  }

  /** Hands out what is there by `nowMs`, against the credit. */
  take(credit: Credit, paused: ReadonlySet<string>, nowMs: number, wallOffsetMs: number): RecordBatch[] {
    const batches: RecordBatch[] = []
    let { records, bytes } = credit
    let first = true
    for (let turn = 0; turn < this.partitions.length && records > 0; turn += 1) {
      const partition = this.partitions[(this.#turn + turn) % this.partitions.length] as BrokerPartition
      if (partition.state !== 'owned' || paused.has(partition.name)) continue
      const batch: SourceRecord[] = []
      while (records > 0 && partition.cursor < partition.records.length) {
        const stored = partition.records[partition.cursor] as StoredRecord
        if (stored.arrivesMs > nowMs || (!first && stored.bytes > bytes)) break
        first = false
        records -= 1
        bytes -= stored.bytes
        partition.cursor += 1
        const delivery = new Delivery(stored, partition.epoch, partition.isCommittedDone(stored.offset))
        partition.delivered.push(delivery)
        batch.push(recordOf(delivery, partition.name, wallOffsetMs))
      }
      if (batch.length > 0) {
        batches.push({ partition: partition.name, epoch: partition.epoch, records: batch })
        if (bytes <= 0) break
      }
    }
    this.#turn += 1
    return batches
  }

  /** When the next record that could be delivered arrives; Infinity when none will. */
  nextArrivalMs(paused: ReadonlySet<string>): number {
    let next = Number.POSITIVE_INFINITY
    for (const { state, name, records, cursor } of this.partitions)
      if (state === 'owned' && !paused.has(name)) next = Math.min(next, records[cursor]?.arrivesMs ?? next)
    return next
  }

  get exhausted(): boolean {
    return this.partitions.every(({ state, cursor, records }) => state === 'owned' && cursor === records.length)
  }

  /** Stores the positions, all or none. */
  commit(positions: readonly Position[]): void {
    for (const { partition: name, epoch } of positions) {
      const partition = this.partition(name)
      if (partition.state === 'unowned' || partition.epoch !== epoch)
        throw new HeadgateError('HG_FENCED', `commit of ${name} with epoch ${epoch}, but it is at ${partition.epoch}`)
    }
    for (const { partition: name, nextOffset, doneAhead } of positions) {
      const partition = this.partition(name)
      partition.nextOffset = nextOffset
      partition.doneAhead = doneAhead
      partition.ahead = doneAhead === null ? [] : (decodeDoneSet(nextOffset, doneAhead) ?? [])
    }
  }
}

function recordOf(delivery: Delivery, partition: string, wallOffsetMs: number): SourceRecord {
  const { offset, key, bytes, arrivesMs } = delivery.record
  return {
    key,
    partition,
    offset,
    bytes,
    timestampMs: arrivesMs + wallOffsetMs,
    headers: NO_HEADERS,
    value: delivery,
  }
}

/** The engine reads a source's name, capabilities and decoder, and calls nothing. */
function contractOnly(name: string, metadataBytes: number): Source {
  const never = (): never => {
    throw new Error('the engine calls no connector')
  }
  return {
    name,
    capabilities: { backlog: 'exact', metadataBytes, replayable: true },
    open: never,
    pull: never,
    held: never,
    commit: never,
    backlog: never,
    quiesce: never,
    close: never,
  }
}
