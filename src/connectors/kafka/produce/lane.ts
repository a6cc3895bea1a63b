/**
 * What goes to one partition: records wait in order, one batch is on its way at a time, and what has to be sent again
 * is sent byte for byte under the same sequence number, so that the broker recognises it. The producer has one a
 * partition. Invariant: a later record never overtakes an earlier one, and none is stored twice under one identity.
 */

import type { BatchCodec, Compression } from '../batch/codec.ts'
import { type EncodableRecord, encodeRecordBatch } from '../batch/encode.ts'
import type { Parcel } from './delivery.ts'
import type { ProducerIdentity } from './identity.ts'

/** A sequence number is a signed int32 that wraps around. */
const SEQUENCES = 2 ** 31

/** Not written yet: that failed. */
const NO_BYTES = Buffer.alloc(0)

export interface BatchOnItsWay {
  readonly parcels: readonly Parcel[]
  bytes: Buffer
  attempts: number
  /** An attempt may have been carried out although no answer came. */
  uncertain: boolean
}

export interface Encoding {
  readonly codec: BatchCodec
  readonly compression: Compression
  readonly transactional: boolean
}

export class Lane {
  readonly topic: string
  readonly partition: number
  /** Null until it has one; sequence numbers begin at 0 with each. */
  identity: ProducerIdentity | null = null
  batch: BatchOnItsWay | null = null
  /** Part of a request that is under way. */
  busy = false
  dueMs = 0
  /** Lowered when the broker finds a batch too large. */
  batchBytes: number
  #queue: Parcel[] = []
  /** What stands before it in the queue was taken. */
  #head = 0
  #sequence = 0

  constructor(topic: string, partition: number, batchBytes: number) {
    this.topic = topic
    this.partition = partition
    this.batchBytes = batchBytes
  }

  get idle(): boolean {
    return this.batch === null && this.#head === this.#queue.length
  }

  /** Whether what is to go first has had its time. */
  isOverdue(nowMs: number): boolean {
    const first = this.batch?.parcels[0] ?? this.#queue[this.#head]
    return first !== undefined && first.giveUpMs < nowMs
  }

  push(parcel: Parcel): void {
    this.#queue.push(parcel)
  }

  /** A new identity has sent nothing: numbers begin anew, and what is still to be sent is written anew. */
  become(identity: ProducerIdentity): void {
    this.identity = identity
    this.#sequence = 0
    this.unpack()
  }

  /** The batch that is to be sent now; null when all that waits was given up. */
  pack({ codec, compression, transactional }: Encoding): BatchOnItsWay | null {
    if (this.batch !== null && this.batch.bytes !== NO_BYTES) return this.batch
    this.unpack()
    const parcels = this.#take()
    if (parcels.length === 0) return null
    const { id, epoch } = this.identity as ProducerIdentity
    const records: EncodableRecord[] = parcels.map(({ record }) => record)
    this.batch = { parcels, bytes: NO_BYTES, attempts: 0, uncertain: false }
    this.batch.bytes = encodeRecordBatch(records, {
      ...{ codec, compression, transactional, producerId: id, producerEpoch: epoch },
      baseSequence: id < 0n ? -1 : this.#sequence,
    })
    return this.batch
  }

  #take(): Parcel[] {
    const queue = this.#queue
    const parcels: Parcel[] = []
    let bytes = 0
    let at = this.#head
    for (; at < queue.length; at += 1) {
      const parcel = queue[at] as Parcel
      if (!parcel.delivery.wants(parcel.index)) continue
      if (parcels.length > 0 && bytes + parcel.bytes > this.batchBytes) break
      bytes += parcel.bytes
      parcels.push(parcel)
    }
    this.#head = at
    // Half of it or more is gone: copying the rest costs no more than taking it did.
    if (at * 2 >= queue.length) this.#rest()
    return parcels
  }

  #rest(): void {
    this.#queue = this.#queue.slice(this.#head)
    this.#head = 0
  }

  /** The batch is stored: the next one goes on behind it. */
  stored(): readonly Parcel[] {
    const { parcels } = this.batch as BatchOnItsWay
    this.#sequence = (this.#sequence + parcels.length) % SEQUENCES
    this.batch = null
    return parcels
  }

  /** The batch is certainly not stored: its records go to the head of the queue. Its sequence number is free again. */
  unpack(): void {
    if (this.batch === null) return
    this.#rest()
    this.#queue = this.batch.parcels.concat(this.#queue)
    this.batch = null
  }

  /** Gives up the batch; returns its records. */
  drop(): readonly Parcel[] {
    const { parcels } = this.batch as BatchOnItsWay
    this.batch = null
    return parcels
  }

  /** Gives up everything. */
  clear(): Parcel[] {
    this.unpack()
    this.#rest()
    const all = this.#queue
    this.#queue = []
    this.#head = 0
    return all
  }
}
