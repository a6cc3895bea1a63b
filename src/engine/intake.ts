/**
 * What the engine knows of one source: its partitions, the pull in progress, and what is to be committed. It decides
 * when to pull and which partitions to leave out; each reason has a name.
 * Invariants: one pull and one commit at a time; a commit covers only partitions that are still ours.
 */
import type { Assignment, Credit, Position, Pulled, RecordBatch, Source } from '../model/connector.ts'
import { HeadgateError } from '../model/errors.ts'
import type { CommitPlan } from '../model/plan.ts'
import type { SourceStatus } from '../model/status.ts'
import { CHUNK_RECORDS, Chunk } from './chunk.ts'
import { CommitClock } from './commit-clock.ts'
import type { Core } from './core.ts'
import { HotKeys } from './hot-keys.ts'
import { LaneClock } from './lane-clock.ts'
import { columnsOf, completeDone, Lot } from './lot.ts'
import { Partition } from './partition.ts'
import { busiest, isDirty, oldestOpenMs, oldestUncommittedMs, revokeWakeMs } from './partition-set.ts'
import { type Committing, committingOf, endGrace, positionOf, pressesForCommit, proposalOf } from './proposal.ts'
import type { Inlet } from './stage.ts'

/** A pull takes no more than this at once: what it brings is worked off while it is still in the processor's cache. */
const PULL_RECORDS = 4096
/** Of the commit's metadata space: beyond it a partition takes in no more until its done-ahead set has shrunk. */
const METADATA_FULL_AT = 0.75
/** One partition may use this many times the free budget, up to a bound: several stuck ones leave room for another. */
const PARTITION_SHARE = 2
export const MOST_OF_PARTITION = 4096

export class Intake {
  readonly index: number
  readonly source: Source
  readonly partitions = new Map<string, Partition>()
  readonly #core: Core
  readonly #target: Inlet
  ended = false
  /** The runtime says when the source can be pulled. */
  open = false
  heldRecords = 0
  delivered = 0
  heldBytes = 0
  #granted: Credit | null = null
  /** What the pull under way leaves out; empty once it was told to end. */
  #leftOut: ReadonlySet<string> = new Set()
  #reason = 'starting'
  readonly #lane: LaneClock
  readonly hotKeys = new HotKeys()
  #committing: Committing[] | null = null
  /** After a commit that was refused as stale: these are committed one by one, to find out which of them it was. */
  readonly #apart = new Set<Partition>()
  readonly #clock: CommitClock
  #nextPartitionIndex: () => number

  constructor(
    core: Core,
    source: Source,
    index: number,
    target: Inlet,
    plan: CommitPlan,
    nextPartitionIndex: () => number,
  ) {
    this.#core = core
    this.source = source
    this.index = index
    this.#target = target
    this.#clock = new CommitClock(plan, core.nowMs)
    this.#lane = new LaneClock(core.nowMs)
    this.#nextPartitionIndex = nextPartitionIndex
  }

  get pulling(): boolean {
    return this.#granted !== null
  }

  /** A partition that was ours already is fenced first: it starts clean. Returns those whose progress is foreign. */
  assigned(assignments: readonly Assignment[]): string[] {
    const foreign: string[] = []
    for (const assignment of assignments) {
      const before = this.partitions.get(assignment.partition)
      if (before !== undefined) before.fenced = true
      const partition = new Partition(assignment, this.index, this.#nextPartitionIndex())
      this.partitions.set(assignment.partition, partition)
      if (partition.foreignProgress) foreign.push(partition.name)
    }
    return foreign
  }

  // ── Pulling ──────────────────────────────────────────────────────────────

  /** Emits a pull if there is credit and a partition to pull from. `sharers`: sources that want credit now. */
  pull(sharers: number): void {
    this.#pull(sharers)
    this.#lane.set(this.#reason, this.#core.loopMs)
  }

  #pull(sharers: number): void {
    const core = this.#core
    this.#reason = this.#guard()
    if (this.#reason === 'pulling') this.#endStalePull()
    if (this.#reason !== 'running') return
    const credit = core.admission.credit()
    if (credit === null) {
      this.#reason = core.admission.reason()
      return
    }
    const paused = new Set<string>()
    const share = sharers > 1 ? Math.max(1, Math.floor(credit.records / sharers)) : credit.records
    const most = Math.min(PULL_RECORDS, share)
    let records = most
    let open = 0
    for (const partition of this.partitions.values()) {
      const reason = this.#whyPaused(partition, share)
      if (reason !== null) {
        paused.add(partition.name)
        this.#reason = reason
      } else {
        open += 1
        records = Math.min(records, this.#uncommittedRoom(partition))
      }
    }
    if (open === 0) return
    const worthwhile = Math.min(CHUNK_RECORDS, core.admission.limit().records / 8)
    if (records < worthwhile && core.counts.inFlight > 0 && records === most) {
      this.#reason = core.admission.reason()
      return
    }
    this.#reason = 'pulling'
    this.#granted = { records, bytes: sharers > 1 ? Math.max(1, Math.floor(credit.bytes / sharers)) : credit.bytes }
    this.#leftOut = paused
    core.admission.reserve(this.#granted)
    core.commands.push({ kind: 'pull', source: this.index, credit: this.#granted, paused })
  }

  /** A pull may wait long for the partitions that it includes; one that it left out must not wait with it. */
  #endStalePull(): void {
    if (this.#leftOut.size === 0 || this.#target.room() <= 0) return
    const free = (this.#granted?.records ?? 0) + (this.#core.admission.credit()?.records ?? 0)
    for (const name of this.#leftOut) {
      const partition = this.partitions.get(name)
      if (partition === undefined || this.#whyPaused(partition, free) !== null) continue
      this.#leftOut = new Set()
      this.#core.commands.push({ kind: 'endPull', source: this.index })
      return
    }
  }

  #guard(): string {
    if (!this.open) return 'starting'
    if (this.ended) return 'ended'
    if (this.#core.halted) return 'stopped'
    if (this.#core.draining) return 'draining'
    if (this.#core.paused) return 'paused'
    if (this.pulling) return 'pulling'
    if (this.#core.transaction?.withholds === true) return 'transaction'
    if (this.partitions.size === 0) return 'no-partitions'
    return this.#target.room() > 0 ? 'running' : 'blocked'
  }

  #whyPaused(partition: Partition, freeRecords: number): string | null {
    if (partition.revokeByMs !== null) return 'revoking'
    if (this.#uncommittedRoom(partition) <= 0) return 'uncommitted'
    const { metadataBytes } = this.source.capabilities
    // With nothing in flight only deliveries can shrink the set: what an earlier assignment stored may be this large.
    if (
      partition.inFlight > 0 &&
      metadataBytes > 0 &&
      partition.ledger.doneAheadBytesBound > metadataBytes * METADATA_FULL_AT
    )
      return 'metadata'
    // Dynamic threshold (Choudhury and Hahne, 1998): no fixed share is wasted, and none can take everything. What is in a
    // transaction is done and stays in flight until it ends: that it is much holds nobody up.
    const most = this.#core.transaction === null ? MOST_OF_PARTITION : Number.POSITIVE_INFINITY
    if (this.partitions.size > 1 && partition.inFlight > Math.min(freeRecords * PARTITION_SHARE, most))
      return 'partition-share'
    return null
  }

  /** How many more records may be delivered before a commit must come first. */
  #uncommittedRoom(partition: Partition): number {
    return this.#core.admission.limits.uncommittedRecords - partition.uncommitted
  }

  /** Takes in what a pull returned. Records of partitions that are not ours (any more) are dropped: they return. */
  pulled(pulled: Pulled, heldRecords: number, heldBytes: number): void {
    const core = this.#core
    if (this.#granted !== null) core.admission.unreserve(this.#granted)
    this.#granted = null
    this.#lane.pulled(core.loopMs, pulled.batches.length > 0)
    this.heldRecords = heldRecords
    this.heldBytes = heldBytes
    if (pulled.ended) this.ended = true
    // What a drain did not stop in time was never admitted: it is uncommitted and returns.
    if (core.draining || core.halted) return
    for (const batch of pulled.batches) {
      const partition = this.partitions.get(batch.partition)
      if (partition === undefined || partition.epoch !== batch.epoch || partition.revokeByMs !== null) continue
      this.#admit(partition, batch)
    }
  }

  #admit(partition: Partition, batch: RecordBatch): void {
    const core = this.#core
    const { ledger } = partition
    const columns = columnsOf(batch)
    const { values } = columns
    this.hotKeys.sample(values.length, (at) => columns.keyAt(at))
    const lot = new Lot(partition, columns, partition.deliver(columns.offsets, columns.timestampsMs))
    const fresh = ledger.hasPrior ? completeDone(ledger, lot) : null
    const admitted = fresh === null ? lot.length : fresh.length
    const bytes = fresh === null ? lot.bytes : lot.bytesOf(fresh)
    for (let start = 0; start < admitted; start += CHUNK_RECORDS) {
      const end = Math.min(start + CHUNK_RECORDS, admitted)
      const rows = fresh === null ? countUp(start, end) : fresh.slice(start, end)
      const of = fresh === null ? values.slice(start, end) : rows.map((row) => values[row])
      this.#target.offer(Chunk.ofRows(lot, rows, of), core.nowMs)
    }
    core.counts.in += admitted
    this.delivered += admitted
    core.admitted(admitted)
    partition.inFlight += admitted
    partition.inFlightBytes += bytes
    core.admission.admit(admitted, bytes)
  }

  /** A pull came to nothing: the credit is free again. */
  pullFailed(): void {
    this.#lane.pulled(this.#core.loopMs, false)
    if (this.#granted !== null) this.#core.admission.unreserve(this.#granted)
    this.#granted = null
  }

  // ── Committing ───────────────────────────────────────────────────────────

  /** Emits a commit if one is due. `final`: nothing more will complete, so whatever is dirty is due. */
  commit(final: boolean): void {
    const { nowMs } = this.#core
    this.#clock.dueMs = Number.POSITIVE_INFINITY
    if (this.#committing !== null || this.#core.transaction !== null) return
    let dirty: Partition[] = []
    let [completions, inFlight] = [0, 0]
    let urgent = final || this.#apart.size > 0
    for (const partition of this.partitions.values()) {
      if (partition.fenced || !partition.dirty) continue
      dirty.push(partition)
      completions += partition.ledger.completed - partition.committedCompleted
      inFlight += partition.inFlight
      if (partition.revokeByMs !== null && partition.inFlight === 0) urgent = true
      if (partition.uncommitted > this.#core.admission.limits.uncommittedRecords / 2) urgent = true
    }
    if (dirty.length === 0 || !this.#clock.isDue({ completions, inFlight, urgent }, nowMs)) return
    if (this.#apart.size > 0) dirty = this.#nextApart(dirty)
    const { metadataBytes } = this.source.capabilities
    const positions = dirty.map((partition) => positionOf(partition, metadataBytes))
    this.#committing = dirty.map((partition) => committingOf(partition, metadataBytes))
    this.#clock.begun(nowMs)
    this.#core.commands.push({ kind: 'commit', source: this.index, positions })
  }

  // ── Committing in a transaction ──────────────────────────────────────────

  get pressesForCommit(): boolean {
    return pressesForCommit(this.partitions.values(), this.#core.admission.limits.uncommittedRecords)
  }

  /** What a transaction is to store; null when the metadata cannot carry it. */
  propose(): readonly Position[] | null {
    const proposal = proposalOf(this.partitions.values(), this.source.capabilities.metadataBytes)
    this.#committing = proposal === null || proposal.positions.length === 0 ? null : proposal.committing
    return proposal?.positions ?? null
  }

  withdraw(): void {
    this.#committing = null
  }

  releaseRevoked(): boolean {
    return endGrace(this.partitions.values(), this.#core.nowMs)
  }

  /** The transaction has ended; what is stale in it the source tells by itself. */
  settleProposal(error: HeadgateError | null): void {
    if (this.#committing === null) return
    if (error?.code !== 'HG_FENCED') this.committed(error)
    this.#committing = null
  }

  #nextApart(dirty: Partition[]): Partition[] {
    const next = dirty.find((partition) => this.#apart.has(partition))
    if (next === undefined) this.#apart.clear()
    else this.#apart.delete(next)
    return next === undefined ? dirty : [next]
  }

  /** Returns the partitions that turned out to be someone else's: nothing of them may be committed any more. */
  committed(error: HeadgateError | null): Partition[] {
    const { nowMs } = this.#core
    const committing = this.#committing ?? []
    this.#committing = null
    if (error === null) {
      this.#clock.succeeded()
      for (const each of committing) each.partition.committed(each)
      return []
    }
    this.#clock.failed(nowMs, error.code !== 'HG_FENCED')
    if (error.code === 'HG_FENCED') return this.#findStale(committing.map(({ partition }) => partition))
    if (error.code === 'HG_INVARIANT' || error.code === 'HG_STORAGE') {
      this.#core.halt(
        new HeadgateError(error.code, `source '${this.source.name}' cannot commit: ${error.message}`, { cause: error }),
      )
    }
    return []
  }

  /**
   * A commit of several partitions is refused as a whole. If one of them was lost meanwhile, it was that one and the
   * others are committed again; if none was, they are committed one by one.
   */
  #findStale(committing: Partition[]): Partition[] {
    const [first, ...others] = committing.filter(({ fenced }) => !fenced)
    if (first === undefined || others.length + 1 < committing.length) return []
    if (others.length === 0) return [first]
    for (const partition of committing) this.#apart.add(partition)
    return []
  }

  get committing(): boolean {
    return this.#committing !== null
  }

  get commitFailing(): boolean {
    return this.#clock.failing
  }

  get dirty(): boolean {
    return isDirty(this.partitions.values())
  }

  wakeMs(): number {
    return Math.min(revokeWakeMs(this.partitions.values()), this.#clock.dueMs)
  }

  /** Epoch ms of the oldest record in flight; null when none is. */
  oldestOpenMs(): number | null {
    return oldestOpenMs(this.partitions.values())
  }

  /** Epoch ms of the oldest record that was delivered and is not committed; null when there is none. */
  oldestUncommittedMs(): number | null {
    return oldestUncommittedMs(this.partitions.values())
  }

  status(): Omit<SourceStatus, 'backlogRecords' | 'backlogAgeMs' | 'arrived'> {
    let uncommittedRecords = 0
    for (const { ledger, committedCompleted } of this.partitions.values())
      uncommittedRecords += ledger.completed - committedCompleted
    return {
      name: this.source.name,
      partitions: this.partitions.size,
      delivered: this.delivered,
      heldRecords: this.heldRecords,
      heldBytes: this.heldBytes,
      commits: this.#clock.commits,
      commitFailures: this.#clock.failures,
      uncommittedRecords,
      limitUncommitted: this.#core.admission.limits.uncommittedRecords,
      reason: this.#reason,
      states: this.#lane.seconds(this.#core.nowMs),
      byPartition: busiest(this.partitions.values()),
    }
  }
}

const COUNTED: number[] = []

/** The whole numbers from `start` up to `end`; copied, which is faster than counting. */
function countUp(start: number, end: number): number[] {
  for (let next = COUNTED.length; next < end; next += 1) COUNTED.push(next)
  return COUNTED.slice(start, end)
}
