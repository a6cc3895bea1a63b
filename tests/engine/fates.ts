/**
 * What really became of each record, kept apart from the engine: which outputs were stored, which dead letters were
 * confirmed, which failures were final. `isDone` walks the plan for one delivery and says whether everything that the
 * record had to cause is durable. It is the naive model that commits are judged by.
 */
import type { FailurePolicy, FlowPlan, Plan } from '../../src/model/plan.ts'
import { chanceOf } from './draw.ts'

/** A record as it lies in the broker. */
export interface StoredRecord {
  readonly id: string
  readonly source: number
  readonly partition: string
  readonly offset: number
  readonly key: string | null
  bytes: number
  readonly arrivesMs: number
  /** Every output it causes is durable; once true, always true. */
  done: boolean
  /** After a failure that stopped the pipeline the operator repairs the record. */
  cured: boolean
  readonly deliveries: Delivery[]
}

interface Failures {
  charged: number
  final: boolean
}

/** One delivery of a record: redelivery makes a new one. */
export class Delivery {
  readonly record: StoredRecord
  readonly epoch: number
  /** Its size at the time of this delivery. */
  readonly bytes: number
  /** The assignment said that it was done: nothing may run for it. */
  readonly doneBefore: boolean
  /** `stage|path` of what ended well: stored in a sink, filtered away, or expanded to the end. */
  readonly written = new Set<string>()
  readonly letters = new Map<string, number>()
  /** Stages with a dead letter in a transaction, whatever becomes of it. */
  readonly heldLetters = new Set<string>()
  readonly #failures = new Map<string, Failures>()

  constructor(record: StoredRecord, epoch: number, doneBefore: boolean) {
    this.record = record
    this.epoch = epoch
    this.bytes = record.bytes
    this.doneBefore = doneBefore
    record.deliveries.push(this)
  }

  failed(stage: string, path: string, how: 'charged' | 'final', attempts: number): void {
    const at = `${stage}|${path}`
    const failures = this.#failures.get(at) ?? { charged: 0, final: false }
    failures.charged += 1
    if (how === 'final' || failures.charged >= attempts) failures.final = true
    this.#failures.set(at, failures)
  }

  isFinalAt(stage: string): boolean {
    for (const [at, { final }] of this.#failures) if (final && at.startsWith(`${stage}|`)) return true
    return false
  }

  isFinal(stage: string, path: string): boolean {
    return this.#failures.get(`${stage}|${path}`)?.final === true
  }
}

/** What moves through the stages: a delivery, and which of its outputs this is. */
export interface Token {
  readonly delivery: Delivery
  readonly path: string
}

/** A value is a token, or (behind a batch) several. */
export type Value = Token | readonly Token[]

export function tokensOf(value: Value): readonly Token[] {
  return Array.isArray(value) ? (value as readonly Token[]) : [value as Token]
}

/** One of three tenants, for `limitKey`. */
export function tenantOf(value: Value): string {
  const [{ delivery }] = tokensOf(value) as [Token]
  return `tenant-${delivery.record.offset % 3}`
}

/** How often the stages of a topology do what, by name of the fault. */
export interface Ways {
  readonly poison: number
  readonly passes: number
}

export class Fates {
  readonly plan: Plan
  readonly ways: Ways

  constructor(plan: Plan, ways: Ways) {
    this.plan = plan
    this.ways = ways
  }

  isPoison(stage: string, { delivery, path }: Token): boolean {
    const { id, cured } = delivery.record
    return !cured && chanceOf('poison', stage, id, path) < this.ways.poison
  }

  passes(stage: string, { delivery, path }: Token): boolean {
    return chanceOf('filter', stage, delivery.record.id, path) < this.ways.passes
  }

  fanOut(stage: string, { delivery, path }: Token): number {
    return Math.floor(chanceOf('fan-out', stage, delivery.record.id, path) * 4)
  }

  /** How many outputs come before a poisonous record throws. */
  outputsBeforeThrow(stage: string, token: Token): number {
    return Math.floor(chanceOf('throws-at', stage, token.delivery.record.id) * (this.fanOut(stage, token) + 1))
  }

  branch(stage: string, { delivery, path }: Token, names: readonly string[]): string {
    return names[Math.floor(chanceOf('branch', stage, delivery.record.id, path) * names.length)] as string
  }

  decodeName(source: number): string {
    return this.plan.sources.length === 1 ? 'decode' : `decode-${source + 1}`
  }

  /** Whether all that a record had to cause is durable. */
  isRecordDone(record: StoredRecord): boolean {
    return record.done || record.deliveries.some((delivery) => this.isDone(delivery))
  }

  /** Whether all that this delivery had to cause is durable. */
  isDone(delivery: Delivery): boolean {
    if (delivery.record.done) return true
    const token = { delivery, path: '' }
    const letters = new Map(delivery.letters)
    const { source } = delivery.record
    const decode = this.decodeName(source)
    const unreadable = delivery.isFinal(decode, '') || delivery.bytes > this.plan.admission.maxRecordBytes
    const done = unreadable
      ? isHandled((this.plan.sources[source] as Plan['sources'][number]).onFailure, decode, letters)
      : this.#flowDone(this.plan.flow, 0, token, letters)
    if (done) delivery.record.done = true
    return done
  }

  #flowDone(flow: FlowPlan, from: number, token: Token, letters: Map<string, number>): boolean {
    const { delivery, path } = token
    const stage = flow.stages[from]
    if (stage === undefined) return this.#endDone(flow, token, letters)
    const further = (): boolean => this.#flowDone(flow, from + 1, token, letters)
    if (stage.kind === 'batch') return further()
    const failed = delivery.isFinal(stage.name, path)
    const wentWell = delivery.written.has(`${stage.name}|${path}`)
    if (stage.kind === 'flatMap') {
      if (!(failed ? isHandled(stage.onFailure, stage.name, letters) : wentWell)) return false
      const outputs = failed ? this.outputsBeforeThrow(stage.name, token) : this.fanOut(stage.name, token)
      for (let output = 0; output < outputs; output += 1)
        if (!this.#flowDone(flow, from + 1, childToken(token, output), letters)) return false
      return true
    }
    if (stage.kind === 'filter' && !failed && !this.passes(stage.name, token)) return wentWell
    return this.#eitherDone(further, failed ? stage : null, letters)
  }

  #endDone({ end }: FlowPlan, token: Token, letters: Map<string, number>): boolean {
    const { delivery, path } = token
    const stored = (): boolean => {
      if (end.kind === 'sink') return delivery.written.has(`${end.name}|${path}`)
      const branch = end.branches.get(this.branch(end.name, token, [...end.branches.keys()])) as FlowPlan
      return this.#flowDone(branch, 0, token, letters)
    }
    return this.#eitherDone(stored, delivery.isFinal(end.name, path) ? end : null, letters)
  }

  /** What failed often enough to be given up may still have succeeded: then it needs no dead letter. */
  #eitherDone(
    done: () => boolean,
    failed: { readonly name: string; readonly onFailure: FailurePolicy } | null,
    letters: Map<string, number>,
  ): boolean {
    const before = new Map(letters)
    if (done()) return true
    for (const [stage, left] of before) letters.set(stage, left)
    return failed !== null && isHandled(failed.onFailure, failed.name, letters)
  }
}

export function childToken({ delivery, path }: Token, output: number): Token {
  return { delivery, path: `${path}.${output}` }
}

function isHandled(policy: FailurePolicy, stage: string, letters: Map<string, number>): boolean {
  if (policy.kind !== 'deadLetter') return policy.kind === 'skip'
  const left = letters.get(stage) ?? 0
  if (left > 0) letters.set(stage, left - 1)
  return left > 0
}
