/**
 * Exactly-once: the transaction that is open now. Sink stages join it with every write, and it ends by time, by count
 * or when something waits for its end; the progress of all sources is part of it. Records whose outputs it holds stay
 * in flight until it is committed; if it is not, their outputs are written again in the next one, in the same order.
 * Invariants: a transaction is committed only if it holds all outputs of each record that it holds any of, and if the
 * sources' metadata can carry all that is done with it; nothing of a partition that is no longer ours is committed.
 */
import { backoffMs } from '../control/backoff.ts'
import type { Position } from '../model/connector.ts'
import { HeadgateError } from '../model/errors.ts'
import type { BackoffPlan, TransactionPlan } from '../model/plan.ts'
import type { Chunk } from './chunk.ts'
import type { Command, Progress } from './commands.ts'
import { type Item, RETURNED } from './item.ts'
import type { Span } from './ledger.ts'
import type { Partition } from './partition.ts'
import type { Write } from './write.ts'

/** A sink stage, as its transaction sees it. */
export interface Participant {
  /** These were stored for good. */
  committed(chunks: readonly Chunk[]): void
  /** These were not: they are written again, or given back. Called in the reverse order of the writes. */
  redo(chunks: readonly Chunk[]): void
}

/** What a transaction asks of a source's intake. */
export interface ProgressOf {
  readonly index: number
  /** Something completed that no commit has stored. */
  readonly dirty: boolean
  readonly pressesForCommit: boolean
  /** What is to be stored, with what was proposed to the ledgers; null when the metadata cannot carry it. */
  propose(): readonly Position[] | null
  withdraw(): void
  settleProposal(error: HeadgateError | null): void
  /** Partitions that are to be given up need not wait for the rest of their grace; false when there is none. */
  releaseRevoked(): boolean
}

/** The part of the engine's books that a transaction reads and writes. */
export interface Books {
  readonly nowMs: number
  readonly random: { next(): number }
  readonly counts: { readonly inFlight: number }
  readonly admission: { readonly limits: { readonly bytes: number }; limit(): { readonly records: number } }
  readonly commands: Command[]
  readonly draining: boolean
  readonly flushing: boolean
  readonly halted: boolean
  givesUp: boolean
  halt(error: HeadgateError): void
}

interface Entry {
  readonly stage: Participant
  /** What of the write is in the transaction, or is to be. */
  chunks: readonly Chunk[]
  ended: boolean
}

const BACKOFF: BackoffPlan = { baseMs: 100, maxMs: 5000, factor: 2 }

export class Transaction {
  readonly plan: TransactionPlan
  readonly #core: Books
  #intakes: readonly ProgressOf[] = []
  /** In the order in which they were started. */
  readonly #writes = new Map<Write, Entry>()
  #writing = 0
  /** Roots of which not all that came from them need be in it. */
  readonly #shared = new Set<Item>()
  readonly #partitions = new Set<Partition>()
  #proposed: { readonly partition: Partition; readonly span: Span; readonly row: number }[] = []
  /** Records of the sources that are in it, with all of their outputs. */
  #proposedRecords = 0
  #state: 'open' | 'closing' | 'committing' | 'aborting' | 'over' = 'open'
  /** It cannot be committed any more. */
  #doomed = false
  /** It is to end and cannot yet: what is in flight must come first, and nothing more is pulled until then. */
  #incomplete = false
  #abortCommanded = false
  /** An abort that failed is tried again from then on. */
  #abortFromMs = Number.NEGATIVE_INFINITY
  #sinceMs: number | null = null
  #notBeforeMs = Number.NEGATIVE_INFINITY
  #failuresInRow = 0
  /** Written and not committed. */
  heldRecords = 0
  #heldBytes = 0

  constructor(core: Books, plan: TransactionPlan) {
    this.#core = core
    this.plan = plan
  }

  /** The sources whose progress it stores. */
  of(intakes: readonly ProgressOf[]): void {
    this.#intakes = intakes
  }

  /** Nothing is written or committed any more: another instance has taken over, or the rest is given back. */
  get over(): boolean {
    return this.#state === 'over'
  }

  /** Nothing is in it and nothing is under way. */
  get idle(): boolean {
    return this.over || (this.#state === 'open' && this.#writes.size === 0)
  }

  /** Why nothing is pulled now, or null. */
  get withholds(): boolean {
    return this.#incomplete
  }

  /** Why nothing may be written now, or null. */
  gate(nowMs: number): 'transaction' | 'backoff' | null {
    if (this.#state === 'open') return this.#doomed ? 'transaction' : this.#notBeforeMs > nowMs ? 'backoff' : null
    return this.#state === 'closing' && this.#incomplete && !this.#doomed ? null : 'transaction'
  }

  // ── Writes ───────────────────────────────────────────────────────────────

  join(stage: Participant, write: Write): void {
    this.#writes.set(write, { stage, chunks: write.chunks, ended: false })
    this.#writing += 1
    for (const { lot, refs } of write.chunks)
      if (lot !== null) this.#partitions.add(lot.partition)
      else for (const item of refs as Item[]) this.#joinItem(item)
  }

  #joinItem(item: Item): void {
    const { root } = item
    root.joined += 1
    if (root !== item || root.pending > 1) this.#shared.add(root)
    if (root.members === null) this.#partitions.add(root.partition)
    else if (root.joined === 1) for (const member of root.members) this.#joinItem(member)
  }

  /** The item is not in it after all. */
  leave({ root }: Item): void {
    root.joined -= 1
    if (root.joined === 0 && root.members !== null) for (const member of root.members) this.leave(member)
  }

  /** A write ended; `chunks` is what of it was written, or is to be written again if the transaction is doomed. */
  hold(write: Write, chunks: readonly Chunk[]): void {
    const entry = this.#writes.get(write) as Entry
    entry.chunks = chunks
    entry.ended = true
    this.#writing -= 1
    for (const { length, bytes } of chunks) {
      this.heldRecords += length
      this.#heldBytes += bytes
    }
  }

  /** Something of it failed: it is aborted once all of its writes have ended. */
  doom(retryAfterMs: number): void {
    if (!this.#doomed) this.#backOff(retryAfterMs)
    this.#doomed = true
  }

  #backOff(retryAfterMs = 0): void {
    this.#failuresInRow += 1
    const delayMs = backoffMs(BACKOFF, this.#failuresInRow, this.#core.random.next())
    this.#notBeforeMs = this.#core.nowMs + Math.max(delayMs, retryAfterMs)
  }

  // ── The end ──────────────────────────────────────────────────────────────

  /** Moves on as far as can be; true when sinks may write that could not, or the other way round. */
  step(nowMs: number): boolean {
    const before = this.gate(nowMs)
    if (this.#state === 'open' && this.#isDue(nowMs)) this.#state = 'closing'
    if (this.#state === 'closing') this.#close()
    const aborts = this.#state === 'aborting' && !this.#abortCommanded && this.#writing === 0
    if (aborts && this.#abortFromMs <= nowMs) {
      this.#abortCommanded = true
      this.#core.commands.push({ kind: 'abortTransaction' })
    }
    return this.gate(nowMs) !== before
  }

  #isDue(nowMs: number): boolean {
    if (this.#writes.size === 0 && !this.#intakes.some((intake) => intake.dirty)) {
      this.#sinceMs = null
      return false
    }
    this.#sinceMs ??= nowMs
    if (this.#lostPartition()) this.#doomed = true
    if (this.#doomed) return true
    if (this.#notBeforeMs > nowMs) return false
    const { draining, flushing, halted } = this.#core
    if (draining || flushing || halted || nowMs >= this.#sinceMs + this.plan.intervalMs) return true
    // As much of the budget as this would keep others out.
    const { admission } = this.#core
    const most = Math.min(this.plan.records, Math.ceil(admission.limit().records / 2))
    const full = this.heldRecords >= Math.max(1, most) || 2 * this.#heldBytes >= admission.limits.bytes
    return full || this.#intakes.some((intake) => intake.pressesForCommit)
  }

  /** Nothing more is let in now: if most of what is in flight waits for this transaction, it ends early. */
  pullsNothing(nowMs: number): void {
    const { counts } = this.#core
    if (this.#state !== 'open' || this.heldRecords === 0 || this.heldRecords * 2 < counts.inFlight) return
    this.#state = 'closing'
    this.step(nowMs)
  }

  #lostPartition(): boolean {
    for (const { fenced } of this.#partitions) if (fenced) return true
    return false
  }

  /** Of a record that is in it something was given back: it will not be whole. */
  #lostOutput(): boolean {
    for (const { fate, joined } of this.#shared) if (joined > 0 && (fate & RETURNED) !== 0) return true
    return false
  }

  #close(): void {
    this.#doomed ||= this.#lostPartition() || this.#lostOutput()
    if (this.#doomed) {
      this.#state = 'aborting'
      this.#incomplete = false
      return
    }
    this.#incomplete = this.#incomplete && this.#writing > 0
    for (const { joined, pending } of this.#shared) if (joined > 0 && joined < pending) this.#incomplete = true
    if (this.#incomplete || this.#writing > 0) return
    const progress = this.#progress()
    if (progress === null) {
      this.#incomplete = true
      this.#checkSpace()
      return
    }
    this.#state = 'committing'
    this.#core.commands.push({ kind: 'commitTransaction', progress })
  }

  /** What the sources would store; null when there is no room for it in the metadata of a commit. */
  #progress(): Progress[] | null {
    this.#propose()
    const progress: Progress[] = []
    for (const intake of this.#intakes) {
      const positions = intake.propose()
      if (positions === null) {
        this.#withdraw()
        for (const each of this.#intakes) each.withdraw()
        return null
      }
      if (positions.length > 0) progress.push({ source: intake.index, positions })
    }
    return progress
  }

  /** With nothing else in flight more space will not come: what was given back stays open for good. */
  #checkSpace(): void {
    const core = this.#core
    if (core.counts.inFlight > this.#proposedRecords) return
    if (core.draining || core.halted) {
      core.givesUp = true
      if (this.#writes.size === 0) this.#state = 'over'
    } else if (!this.#intakes.some((intake) => intake.releaseRevoked())) {
      core.givesUp = true
      core.halt(
        new HeadgateError(
          'HG_COMMIT_FAILED',
          'what was done ahead of the committed offsets does not fit into the metadata of a commit, so an exactly-once ' +
            "pipeline cannot go on; raise the metadata limit of the broker (Kafka: 'offset.metadata.max.bytes')",
        ),
      )
    }
    this.#doomed = true
  }

  #propose(): void {
    const add = (item: Item): void => {
      const { root } = item
      if (root.members !== null) for (const member of root.members) add(member)
      else this.#proposed.push({ partition: root.partition, span: root.lot.span, row: root.row })
    }
    for (const { chunks } of this.#writes.values())
      for (const { lot, refs } of chunks)
        if (lot === null) for (const item of refs as Item[]) add(item)
        else for (const row of refs as number[]) this.#proposed.push({ partition: lot.partition, span: lot.span, row })
    for (const { partition, span, row } of this.#proposed) partition.ledger.propose(span, row)
    this.#proposedRecords = 0
    for (const { ledger } of this.#partitions) this.#proposedRecords += ledger.proposed
  }

  #withdraw(): void {
    for (const { partition, span, row } of this.#proposed) partition.ledger.withdraw(span, row)
    this.#proposed = []
  }

  /** The world has carried out the command; `error` is null when it did. */
  ended(error: HeadgateError | null): void {
    const committed = this.#state === 'committing' && error === null
    if (this.#state === 'committing') {
      this.#withdraw()
      if (committed) for (const { stage, chunks } of this.#writes.values()) stage.committed(chunks)
      for (const intake of this.#intakes) intake.settleProposal(error)
    }
    this.#abortCommanded = false
    if (error !== null && !error.retryable && error.code !== 'HG_FENCED') {
      this.#core.givesUp = true
      this.#core.halt(
        new HeadgateError(error.code, `a transaction cannot be committed: ${error.message}`, { cause: error }),
      )
    }
    if (error?.code === 'HG_FENCED') this.#giveUp(error)
    else if (this.#state === 'aborting' && error !== null) {
      this.#backOff()
      this.#abortFromMs = this.#notBeforeMs
    } else {
      if (committed) this.#failuresInRow = 0
      else if (error !== null) this.#backOff()
      this.#begin(committed)
    }
  }

  #begin(committed: boolean): void {
    const entries = [...this.#writes.values()]
    this.#clear()
    this.#state = 'open'
    if (!committed) redoAll(entries, this)
  }

  /** Another instance runs under our name: it has the records, and all that is here is given back. */
  #giveUp(error: HeadgateError): void {
    const text =
      `another instance of this pipeline has taken over: ${error.message}. This one stops, and nothing that it had not ` +
      'committed becomes visible. If both are meant to run, give each a transaction.id of its own'
    this.#core.givesUp = true
    this.#core.halt(new HeadgateError('HG_FENCED', text, { cause: error }))
    const entries = [...this.#writes.values()]
    this.#clear()
    this.#state = 'over'
    redoAll(entries, this)
  }

  #clear(): void {
    this.#writes.clear()
    this.#shared.clear()
    this.#partitions.clear()
    this.#doomed = false
    this.#incomplete = false
    this.#abortFromMs = Number.NEGATIVE_INFINITY
    this.#sinceMs = null
    this.heldRecords = 0
    this.#heldBytes = 0
  }

  wakeMs(): number {
    if (this.#state === 'aborting')
      return this.#abortCommanded || this.#writing > 0 ? Number.POSITIVE_INFINITY : this.#abortFromMs
    if (this.#state !== 'open') return Number.POSITIVE_INFINITY
    if (this.#sinceMs === null)
      return this.#notBeforeMs > this.#core.nowMs ? this.#notBeforeMs : Number.POSITIVE_INFINITY
    return Math.max(this.#notBeforeMs, this.#sinceMs + this.plan.intervalMs)
  }
}

function redoAll(entries: readonly Entry[], transaction: Transaction): void {
  for (let index = entries.length - 1; index >= 0; index -= 1) {
    const { stage, chunks } = entries[index] as Entry
    for (const { lot, refs } of chunks) if (lot === null) for (const item of refs as Item[]) transaction.leave(item)
    stage.redo(chunks)
  }
}
