/**
 * Judges what members of a group did, from what they told and what the brokers stored: nothing lost, each key in its
 * order over all processes, commits that never lie and never move back. Pure data in, an Error out. Invariant: `judge`
 * gets each event and commit once; events of processes that run at the same time come in the same call.
 */
import type { Event, Work } from './setup.ts'

export interface StoredRecord extends Work {
  readonly partition: number
  readonly offset: number
}

/** One commit of a partition, as it is stored: below `nextOffset` all is done, beyond it the half-open runs in `ahead`. */
export interface StoredCommit {
  readonly partition: number
  readonly nextOffset: number
  readonly ahead: readonly number[]
  /** When the broker took it, milliseconds since 1970. */
  readonly atMs: number
}

export interface Evidence {
  readonly stored: readonly StoredRecord[]
  readonly starts: readonly Event[]
  readonly dones: readonly Event[]
  readonly ends: readonly Event[]
  /** In the order in which the broker stored them. */
  readonly commits: readonly StoredCommit[]
}

export interface Verdict {
  readonly started: number
  readonly ended: number
  /** Calls that were made for a record again. */
  readonly redone: number
  readonly commits: number
  /** Records that calls were made for and that no commit covers. */
  readonly open: number
}

interface Tracked extends StoredRecord {
  starts: number
  /** A call for it has succeeded. */
  isDone: boolean
  /** Its result is written. */
  hasEnded: boolean
}

/** At the same time, in this order. */
const [DONE, END, START] = [0, 1, 2]

export interface Rules {
  /** Only one process ran since the last judgement: then nothing that was committed before may be done again. */
  readonly alone: boolean
}

export class Timeline {
  readonly #records: Tracked[][]
  readonly #byKey = new Map<string, Tracked[]>()
  readonly #progress: StoredCommit[]
  readonly totals = { started: 0, ended: 0, redone: 0, commits: 0 }

  constructor(partitions: number) {
    this.#records = Array.from({ length: partitions }, () => [])
    this.#progress = this.#records.map((_, partition) => ({ partition, nextOffset: 0, ahead: [], atMs: 0 }))
  }

  /** Throws at the first promise that was broken. */
  judge({ stored, starts, dones, ends, commits }: Evidence, { alone }: Rules): Verdict {
    for (const record of stored) this.#store(record)
    let redone = 0
    const of = (events: readonly Event[], rank: number) => events.map((event) => ({ event, rank }))
    const events = [...of(dones, DONE), ...of(ends, END), ...of(starts, START)]
    events.sort((a, b) => a.event[0] - b.event[0] || a.rank - b.rank)
    for (const { event, rank } of events) {
      const record = this.#at(event)
      const before = this.#byKey.get(record.key)![record.number - 1]
      if (rank === START) {
        if (alone && this.#isCommitted(record)) throw new Error(`${show(record)} was committed and is done again`)
        if (before && !before.isDone) throw new Error(`${show(record)} is called before ${show(before)} was done`)
        if (record.starts > 0) redone += 1
        record.starts += 1
      } else if (rank === DONE) record.isDone = true
      else {
        if (!record.isDone) throw new Error(`${show(record)} is written and no call for it was done`)
        if (before && !before.hasEnded) throw new Error(`${show(record)} is written before ${show(before)}`)
        record.hasEnded = true
      }
    }
    for (const commit of commits) this.#commit(commit)
    const verdict = { started: starts.length, ended: ends.length, redone, commits: commits.length }
    for (const name of ['started', 'ended', 'redone', 'commits'] as const) this.totals[name] += verdict[name]
    const open = this.#records.flat().filter((record) => record.starts > 0 && !this.#isCommitted(record)).length
    return { ...verdict, open }
  }

  /** Records that are stored and not committed. */
  get left(): number {
    return this.#records.flat().filter((record) => !this.#isCommitted(record)).length
  }

  /** Throws unless every record has ended and is committed. */
  finish(): void {
    const all = this.#records.flat()
    const lost = all.filter(({ hasEnded }) => !hasEnded)
    if (lost.length > 0) throw new Error(`${lost.length} of ${all.length} records were lost, first ${show(lost[0]!)}`)
    const open = all.filter((record) => !this.#isCommitted(record))
    if (open.length > 0) throw new Error(`${open.length} records were never committed, first ${show(open[0]!)}`)
  }

  #store(record: StoredRecord): void {
    const records = this.#records[record.partition]!
    if (record.offset !== records.length) throw new Error(`${show(record)} is stored where ${records.length} was due`)
    const tracked: Tracked = { ...record, starts: 0, isDone: false, hasEnded: false }
    records.push(tracked)
    const line = this.#byKey.get(record.key) ?? []
    if (record.number !== line.length) throw new Error(`${show(record)} is stored where number ${line.length} was due`)
    line.push(tracked)
    this.#byKey.set(record.key, line)
  }

  #commit(commit: StoredCommit): void {
    const before = this.#progress[commit.partition]!
    const records = this.#records[commit.partition]!
    if (commit.nextOffset < before.nextOffset) {
      const [from, to] = [before, commit].map(
        ({ nextOffset, atMs }) => `${nextOffset} (${new Date(atMs).toISOString()})`,
      )
      throw new Error(`partition ${commit.partition} moved back from ${from} to ${to}`)
    }
    if (commit.nextOffset > records.length)
      throw new Error(`partition ${commit.partition} is committed at ${commit.nextOffset}, beyond its end`)
    const check = (from: number, to: number): void => {
      for (const record of records.slice(from, to))
        if (!record.hasEnded) throw new Error(`${show(record)} is committed and was not written`)
    }
    check(before.nextOffset, commit.nextOffset)
    for (let at = 0; at < commit.ahead.length; at += 2) check(commit.ahead[at]!, commit.ahead[at + 1]!)
    this.#progress[commit.partition] = commit
  }

  #isCommitted({ partition, offset }: StoredRecord): boolean {
    const { nextOffset, ahead } = this.#progress[partition]!
    if (offset < nextOffset) return true
    for (let at = 0; at < ahead.length; at += 2) if (offset >= ahead[at]! && offset < ahead[at + 1]!) return true
    return false
  }

  #at([, partition, offset, key, number]: Event): Tracked {
    const record = this.#records[partition]?.[offset]
    if (!record) throw new Error(`there is no record ${partition}@${offset}`)
    if (record.key !== key || record.number !== number)
      throw new Error(`${show(record)} came out as number ${number} of key ${key}`)
    return record
  }
}

function show({ key, number, partition, offset }: StoredRecord): string {
  return `number ${number} of key ${key} (${partition}@${offset})`
}
