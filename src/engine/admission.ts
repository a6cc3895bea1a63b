/**
 * The head gate: how much may be in flight. Records, bytes, residence time and the heap each set a bound; the
 * smallest counts, and its name is the gate's reason. What a pull was granted is reserved until it returns, so the
 * bounds hold at every instant, client prefetch included.
 */
import { Throughput } from '../control/throughput.ts'
import type { Credit } from '../model/connector.ts'
import type { AdmissionPlan } from '../model/plan.ts'

/** The share of the heap limit from which admission narrows, and at which it is closed. */
const HEAP_NARROWS_AT = 0.7
const HEAP_CLOSED_AT = 0.85

export type AdmissionReason = 'records' | 'bytes' | 'residence' | 'heap'

export class Admission {
  limits: AdmissionPlan
  readonly throughput: Throughput
  /** Enough to keep every slot and batch busy: residence never narrows below it. The engine sets it. */
  floorRecords = 0
  #records = 0
  #bytes = 0
  #reservedRecords = 0
  #reservedBytes = 0
  #pulls = 0
  #heldRecords = 0
  #heldBytes = 0
  #heapShare = 0

  constructor(limits: AdmissionPlan, nowMs: number) {
    this.limits = limits
    this.throughput = new Throughput(nowMs)
  }

  /** In flight and held by clients. */
  get records(): number {
    return this.#records + this.#heldRecords
  }

  get bytes(): number {
    return this.#bytes + this.#heldBytes
  }

  sample(nowMs: number): void {
    this.throughput.sample(nowMs, this.floorRecords)
  }

  observeHeap(usedBytes: number, limitBytes: number): void {
    this.#heapShare = limitBytes > 0 ? usedBytes / limitBytes : 0
  }

  /** What the sources' clients hold back at this moment. */
  observeHeld(records: number, bytes: number): void {
    this.#heldRecords = records
    this.#heldBytes = bytes
  }

  reserve(credit: Credit): void {
    this.#reservedRecords += credit.records
    this.#reservedBytes += credit.bytes
    this.#pulls += 1
  }

  unreserve(credit: Credit): void {
    this.#reservedRecords -= credit.records
    this.#reservedBytes -= credit.bytes
    this.#pulls -= 1
  }

  admit(records: number, bytes: number): void {
    this.#records += records
    this.#bytes += bytes
  }

  release(records: number, bytes: number): void {
    this.#records -= records
    this.#bytes -= bytes
  }

  /** Records that may be in flight now, and which bound says so. */
  limit(): { records: number; reason: AdmissionReason } {
    const { limits } = this
    let records = limits.records
    let reason: AdmissionReason = 'records'
    const perSecond = this.throughput.perSecond
    const resident = perSecond === null ? 0 : (perSecond * limits.residenceMs) / 1000
    const bound = Math.max(this.floorRecords, Math.floor(resident))
    if (bound < records) {
      records = bound
      reason = 'residence'
    }
    const open = (HEAP_CLOSED_AT - this.#heapShare) / (HEAP_CLOSED_AT - HEAP_NARROWS_AT)
    if (open < 1) {
      records = Math.max(0, Math.floor(records * open))
      reason = 'heap'
    }
    return { records, reason }
  }

  /**
   * What may be pulled now; records and bytes of at least 1, or null. What clients hold is counted already, so it may be
   * handed over even when they hold more than is free: a broker's smallest portion can be larger than the limit.
   */
  credit(): Credit | null {
    const records = this.#beyondHeld(this.limit().records - this.#records - this.#reservedRecords, this.#heldRecords)
    const bytes = this.#freeBytes()
    return records >= 1 && bytes >= 1 ? { records, bytes } : null
  }

  /** Why nothing (more) may be pulled. */
  reason(): AdmissionReason {
    const { records, reason } = this.limit()
    return this.#freeBytes() < 1 && this.records < records ? 'bytes' : reason
  }

  /** The first record of every pull may exceed its byte credit, so one record's worth is kept back for each. */
  #freeBytes(): number {
    const used = this.#bytes + this.#reservedBytes
    const keptBack = used + this.#heldBytes === 0 ? 0 : (this.#pulls + 1) * this.limits.maxRecordBytes
    return this.#beyondHeld(this.limits.bytes - used - keptBack, this.#heldBytes)
  }

  /** Of what is free apart from what is held: what is free for more; with nothing of that, to take over what is held. */
  #beyondHeld(free: number, held: number): number {
    return free - held >= 1 ? free - held : Math.min(free, held)
  }
}
