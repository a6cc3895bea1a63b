/**
 * Judges a pipeline that was killed and started again, from nothing but what it left: the log's topics, the group's
 * stored progress, and the attempts that each run told before it made them. Pure data in, an Error out. Invariant:
 * `judge` is called after each run, when no process is writing results.
 */
import { ADMISSION_RECORDS, type Fate, fateOf, type Result, UNCOMMITTED_RECORDS, type Work } from './work.ts'

/** The stored progress of a partition: below `nextOffset` all is done, beyond it the half-open runs in `ahead`. */
export interface Progress {
  readonly nextOffset: number
  readonly ahead: readonly number[]
}

export interface Attempt {
  readonly partition: number
  readonly offset: number
  readonly attempt: number
}

export interface Letter {
  readonly partition: number
  readonly offset: number
  readonly attempts: number
}

/** What one run left: all that is new since the run before it. */
export interface Run {
  /** Records appended to each partition, in offset order. */
  readonly appended: readonly (readonly Work[])[]
  readonly attempts: readonly Attempt[]
  /** By partition, in the order in which they are stored. */
  readonly results: readonly (readonly Result[])[]
  readonly letters: readonly (readonly Letter[])[]
  readonly progress: readonly Progress[]
}

/** What a run came to. */
export interface Verdict {
  /** Records that a call was made for. */
  readonly called: number
  /** Results and dead letters written. */
  readonly ended: number
  /** Of these, the ones that an earlier run had written too. */
  readonly redone: number
  /** Results and dead letters that are written and not committed: what the next run has to do again. */
  readonly toRedo: number
}

interface Tracked {
  readonly work: Work
  readonly fate: Fate
  readonly attempts: number
  readonly partition: number
  readonly offset: number
  endings: number
  endedNow: boolean
}

export class Oracle {
  readonly #records: Tracked[][]
  readonly #byKey = new Map<string, Tracked[]>()
  #progress: readonly Progress[]
  /** How far the first results of each key have come, of those that have to end there. */
  readonly #firsts = { out: new Map<string, number>(), dead: new Map<string, number>() }

  constructor(partitions: number) {
    this.#records = Array.from({ length: partitions }, () => [])
    this.#progress = this.#records.map(() => ({ nextOffset: 0, ahead: [] }))
  }

  /** Throws at the first promise that the run broke. */
  judge(run: Run): Verdict {
    this.#append(run.appended)
    const called = this.#checkAttempts(run.attempts)
    const { ended, redone } = this.#checkEndings(run, called)
    this.#checkProgress(run.progress)
    this.#progress = run.progress
    this.#checkBounds(called)
    for (const record of this.#all()) record.endedNow = false
    const toRedo = this.#all().filter((record) => record.endings > 0 && !this.#isDone(record)).length
    return { called: called.size, ended, redone, toRedo }
  }

  /** Throws unless everything that was appended has ended and is committed. */
  finish(): void {
    const open = this.#all().filter((record) => !this.#isDone(record))
    if (open.length > 0) throw new Error(`${open.length} records were never committed, first ${show(open[0]!)}`)
    const lost = this.#all().filter(({ fate, endings }) => fate !== 'filtered' && endings === 0)
    if (lost.length > 0) throw new Error(`${lost.length} records were lost, first ${show(lost[0]!)}`)
  }

  #append(appended: Run['appended']): void {
    for (const [partition, works] of appended.entries()) {
      const records = this.#records[partition]!
      for (const work of works) {
        const offset = records.length
        const record = { work, ...fateOf(work), partition, offset, endings: 0, endedNow: false }
        records.push(record)
        const line = this.#byKey.get(work.key)
        if (line) line.push(record)
        else this.#byKey.set(work.key, [record])
      }
    }
  }

  /** Nothing committed is done again; a key goes on from its first uncommitted record, one by one, none left out. */
  #checkAttempts(attempts: readonly Attempt[]): Set<Tracked> {
    const called = new Set<Tracked>()
    const last = new Map<string, { record: Tracked; attempt: number }>()
    for (const { partition, offset, attempt } of attempts) {
      const record = this.#at(partition, offset)
      if (this.#isDone(record)) throw new Error(`${show(record)} was committed and is done again`)
      const { key } = record.work
      const before = last.get(key)
      if (before?.record === record) {
        if (attempt !== before.attempt + 1)
          throw new Error(`${show(record)}: attempt ${attempt} after ${before.attempt}`)
      } else {
        if (before && before.attempt < before.record.attempts)
          throw new Error(`${show(record)} is called before ${show(before.record)} has ended`)
        const due = this.#nextOpen(key, before?.record)
        if (due !== record || attempt !== 1)
          throw new Error(`${show(record)} is called, attempt ${attempt}, while ${due ? show(due) : 'nothing'} is due`)
      }
      if (attempt > record.attempts)
        throw new Error(`${show(record)}: attempt ${attempt}, it ended after ${record.attempts}`)
      last.set(key, { record, attempt })
      called.add(record)
    }
    return called
  }

  /** The next record of the key, behind `after`, that no commit covers and that is not filtered. */
  #nextOpen(key: string, after: Tracked | undefined): Tracked | undefined {
    const line = this.#byKey.get(key)!
    let at = after ? after.work.number + 1 : 0
    while (at < line.length && (line[at]!.fate === 'filtered' || this.#isDone(line[at]!))) at += 1
    return line[at]
  }

  /** A run ends a record once, where it has to end, after a call; a key's first results are in order and complete. */
  #checkEndings({ results, letters }: Run, called: ReadonlySet<Tracked>): { ended: number; redone: number } {
    let ended = 0
    let redone = 0
    const end = (record: Tracked, fate: 'out' | 'dead', lastOfKey: Map<string, number>): void => {
      const { key, number } = record.work
      if (record.fate !== fate) throw new Error(`${show(record)} ended as '${fate}', it should be '${record.fate}'`)
      if (!called.has(record)) throw new Error(`${show(record)} ended without a call`)
      if (record.endedNow) throw new Error(`${show(record)} ended twice in one run`)
      if (number < (lastOfKey.get(key) ?? 0)) throw new Error(`${show(record)} ended after ${lastOfKey.get(key)}`)
      lastOfKey.set(key, number)
      record.endedNow = true
      record.endings += 1
      ended += 1
      if (record.endings > 1) redone += 1
      else this.#checkFirst(record, fate)
    }
    const lastResult = new Map<string, number>()
    for (const [partition, stored] of results.entries()) {
      for (const { key, number, offset } of stored) {
        const record = this.#at(partition, offset)
        if (record.work.key !== key || record.work.number !== number)
          throw new Error(`${show(record)} came out as number ${number} of key ${key}`)
        end(record, 'out', lastResult)
      }
    }
    const lastLetter = new Map<string, number>()
    for (const { partition, offset, attempts } of letters.flat()) {
      const record = this.#at(partition, offset)
      if (attempts !== record.attempts) throw new Error(`${show(record)} is dead after ${attempts} attempts`)
      end(record, 'dead', lastLetter)
    }
    return { ended, redone }
  }

  #checkFirst(record: Tracked, fate: 'out' | 'dead'): void {
    const { key, number } = record.work
    const line = this.#byKey.get(key)!
    let at = this.#firsts[fate].get(key) ?? 0
    while (line[at]!.fate !== fate) at += 1
    if (at !== number) throw new Error(`${show(record)} ended before ${show(line[at]!)} did`)
    this.#firsts[fate].set(key, at + 1)
  }

  /** Commits never lie and never move back. */
  #checkProgress(progress: readonly Progress[]): void {
    for (const [partition, records] of this.#records.entries()) {
      const [before, now] = [this.#progress[partition]!, progress[partition]!]
      if (now.nextOffset < before.nextOffset)
        throw new Error(`partition ${partition} moved back from ${before.nextOffset} to ${now.nextOffset}`)
      if (now.nextOffset > records.length) throw new Error(`partition ${partition} is committed beyond its end`)
      for (const record of records) {
        const done = covers(now, record.offset)
        if (done && record.fate !== 'filtered' && record.endings === 0)
          throw new Error(`${show(record)} is committed and was not written`)
        if (!done && covers(before, record.offset)) throw new Error(`${show(record)} is no longer committed`)
      }
    }
  }

  /** What a kill costs is bounded in each partition; what was in flight is bounded over all. */
  #checkBounds(called: ReadonlySet<Tracked>): void {
    const open = [...called].filter((record) => !this.#isDone(record))
    for (const partition of this.#records.keys()) {
      const uncommitted = open.filter((record) => record.partition === partition).length
      if (uncommitted > UNCOMMITTED_RECORDS)
        throw new Error(`partition ${partition} has ${uncommitted} uncommitted, more than ${UNCOMMITTED_RECORDS}`)
    }
    const inFlight = open.filter(({ endedNow }) => !endedNow).length
    if (inFlight > ADMISSION_RECORDS) throw new Error(`${inFlight} in flight, more than ${ADMISSION_RECORDS}`)
  }

  #isDone({ partition, offset }: Tracked): boolean {
    return covers(this.#progress[partition]!, offset)
  }

  #at(partition: number, offset: number): Tracked {
    const record = this.#records[partition]?.[offset]
    if (!record) throw new Error(`there is no record ${partition}@${offset}`)
    return record
  }

  #all(): Tracked[] {
    return this.#records.flat()
  }
}

function covers({ nextOffset, ahead }: Progress, offset: number): boolean {
  if (offset < nextOffset) return true
  for (let at = 0; at < ahead.length; at += 2) if (offset >= ahead[at]! && offset < ahead[at + 1]!) return true
  return false
}

function show({ work, partition, offset }: Tracked): string {
  return `number ${work.number} of key ${work.key} (${partition}@${offset})`
}
