/**
 * The oracle: what must hold at every step, whatever the world does. It hears of commands, starts, ends and stores as
 * they happen and keeps books of its own; it never asks the engine what it ought to think. A broken rule is thrown as
 * a `Violation` whose text begins with the promise.
 */
import { decodeDoneSet } from '../../src/engine/done-set.ts'
import type { EngineSnapshot } from '../../src/engine/snapshot.ts'
import type { Credit, Position } from '../../src/model/connector.ts'
import { type CallPlan, mostCalls, type Order, type Plan, type SinkPlan } from '../../src/model/plan.ts'
import type { BrokerPartition } from './broker.ts'
import { type Fates, type StoredRecord, type Token, tenantOf, tokensOf, type Value } from './fates.ts'

export class Violation extends Error {
  override readonly name = 'Violation'
}

/** A bound that may be lowered while it is exceeded: from then on it may only be approached. */
class Bound {
  limit: number
  #allowed: number

  constructor(limit: number) {
    this.limit = limit
    this.#allowed = limit
  }

  /** `granted`: allowed already, and still to come. */
  check(used: number, promise: string, what: string, granted = 0): void {
    this.#allowed = Math.max(this.limit, this.#allowed)
    if (used > this.#allowed + 1e-6) throw new Violation(`${promise}: ${used} ${what}, allowed are ${this.#allowed}`)
    this.#allowed = Math.max(this.limit, Math.min(this.#allowed, used + granted))
  }
}

/** At most T × perSecond + burst starts in any window of T seconds: a token bucket that never runs below zero. */
class RateBook {
  #perSecond: number
  #burst: number
  #tokens: number
  #atMs = Number.NEGATIVE_INFINITY

  constructor(perSecond: number, burst: number) {
    this.#perSecond = perSecond
    this.#burst = burst
    this.#tokens = burst
  }

  change(perSecond: number, burst: number): void {
    this.#perSecond = perSecond
    this.#burst = burst
    this.#tokens = burst + 1
  }

  start(nowMs: number, stage: string): void {
    const filled = this.#tokens + ((nowMs - this.#atMs) / 1000) * this.#perSecond
    this.#tokens = Math.min(Math.max(this.#burst, Math.min(this.#tokens, filled)), filled) - 1
    this.#atMs = nowMs
    if (this.#tokens < -1e-3) throw new Violation(`promise 8: '${stage}' starts faster than its rate allows`)
  }
}

interface Holder {
  readonly token: Token
  ended: boolean
}

/** Calls in progress at one limiter, or at one for each tenant; stages that share a limiter share this. */
class LimiterBook {
  readonly tenants = new Map<string, { readonly bound: Bound; live: number }>()
  readonly #planned: number
  #mostCalls: number

  constructor(mostCallsPlanned: number) {
    this.#planned = mostCallsPlanned
    this.#mostCalls = mostCallsPlanned
  }

  count(key: string, by: number): void {
    const tenant = this.tenants.get(key) ?? { bound: new Bound(this.#mostCalls), live: 0 }
    this.tenants.set(key, tenant)
    tenant.live += by
  }

  limit(calls: number): void {
    this.#mostCalls = calls
    for (const { bound } of this.tenants.values()) bound.limit = calls
  }

  restart(): void {
    this.tenants.clear()
    this.#mostCalls = this.#planned
  }
}

class CallBook {
  readonly plan: CallPlan
  readonly limiter: LimiterBook
  readonly attempts = new Map<string, number>()
  readonly holders = new Map<string, Holder>()
  rate: RateBook | null

  constructor(plan: CallPlan, limiter: LimiterBook) {
    this.plan = plan
    this.limiter = limiter
    this.rate = plan.rate && new RateBook(plan.rate.perSecond, plan.rate.burst)
  }

  count(value: Value, by: number): void {
    this.limiter.count(this.plan.limitKey === null ? '' : tenantOf(value), by)
  }
}

/** The books of all call stages, by name. */
function booksOf(plan: Plan): Map<string, CallBook> {
  const limiters = new Map<string, LimiterBook>()
  const books = new Map<string, CallBook>()
  for (const call of callsOf(plan.flow)) {
    const { name, concurrency } = call
    const id = (concurrency.kind === 'adaptive' && concurrency.limiter) || `of ${name}`
    const limiter = limiters.get(id) ?? new LimiterBook(mostCalls(concurrency))
    limiters.set(id, limiter)
    books.set(name, new CallBook(call, limiter))
  }
  return books
}

export class Oracle {
  readonly #plan: Plan
  readonly #fates: Fates
  readonly #partitions: ReadonlyMap<string, BrokerPartition>
  readonly #calls: ReadonlyMap<string, CallBook>
  readonly #writes = new Map<string, number>()
  /** For sinks that keep order behind stages that all do: records by key, and how far each key is known to be done. */
  readonly #orderedSinks: ReadonlySet<string>
  /** Call stages that records reach in the order that the stage itself keeps. */
  readonly #inOrder = new Set<string>()
  readonly #byLane = new Map<string, { readonly records: StoredRecord[]; done: number }>()
  /** What the engine was told is its own: epoch by partition. */
  readonly #owned = new Map<string, number>()
  readonly #granted = new Map<number, Credit>()
  readonly #records: Bound
  readonly #bytes: Bound
  /** By partition and epoch. */
  readonly #uncommitted = new Map<string, Bound>()
  #uncommittedLimit: number
  readonly #oversized: boolean
  /** By source: whether its commits carry nothing, or always everything, that is done ahead. */
  readonly #storesAll: readonly boolean[]
  readonly oneToOne: boolean
  /** Admitted in this incarnation: conservation starts from it. */
  admitted = 0

  constructor(plan: Plan, fates: Fates, partitions: ReadonlyMap<string, BrokerPartition>, oversized: boolean) {
    this.#plan = plan
    this.#fates = fates
    this.#partitions = partitions
    this.#oversized = oversized
    const { admission } = plan
    this.#records = new Bound(admission.records)
    this.#bytes = new Bound(admission.bytes)
    this.#uncommittedLimit = admission.uncommittedRecords
    this.#calls = booksOf(plan)
    const spaces = plan.sources.map(({ source }) => source.capabilities.metadataBytes)
    this.#storesAll = spaces.map((bytes) => bytes === 0 || bytes >= 4096)
    this.oneToOne = isOneToOne(plan.flow)
    this.#findInOrder(plan.flow, 'partition')
    this.#orderedSinks = orderedSinksOf(plan)
  }

  #findInOrder({ stages, end }: Plan['flow'], before: Order): void {
    let kept = before
    for (const stage of stages) {
      if (stage.kind !== 'call') continue
      if (kept === 'partition' || kept === stage.order) this.#inOrder.add(stage.name)
      if (stage.order === 'none' || kept === 'partition') kept = stage.order
    }
    if (end.kind === 'route') for (const branch of end.branches.values()) this.#findInOrder(branch, kept)
  }

  // ── What happens ─────────────────────────────────────────────────────────

  /** A new engine: nothing of the old one counts any more. */
  restarted(): void {
    this.#owned.clear()
    this.#granted.clear()
    this.admitted = 0
    for (const book of this.#calls.values()) {
      book.limiter.restart()
      book.holders.clear()
      book.attempts.clear()
      book.rate?.change(book.plan.rate?.perSecond ?? 1, book.plan.rate?.burst ?? 1)
      if (book.plan.rate === null) book.rate = null
    }
    this.#writes.clear()
    this.limits(this.#plan.admission)
  }

  limits({ records, bytes, uncommittedRecords }: Partial<Plan['admission']>): void {
    if (records !== undefined) this.#records.limit = records
    if (bytes !== undefined) this.#bytes.limit = bytes
    if (uncommittedRecords === undefined) return
    this.#uncommittedLimit = uncommittedRecords
    for (const bound of this.#uncommitted.values()) bound.limit = uncommittedRecords
  }

  callLimits(stage: string, { concurrency, perSecond }: { concurrency?: number; perSecond?: number }): void {
    const book = this.#calls.get(stage) as CallBook
    if (concurrency !== undefined) book.limiter.limit(concurrency)
    if (perSecond === undefined) return
    const { rate } = book.plan
    const burst = Math.max(1, Math.ceil((perSecond * (rate?.burst ?? 1)) / (rate?.perSecond ?? perSecond)))
    if (book.rate === null) book.rate = new RateBook(perSecond, burst)
    else book.rate.change(perSecond, burst)
  }

  assigned(partition: string, epoch: number): void {
    this.#owned.set(partition, epoch)
    // A pull under way was granted under the limit of its own time.
    let granted = 0
    for (const { records } of this.#granted.values()) granted += records
    const bound = new Bound(Math.max(granted, this.#uncommittedLimit))
    bound.limit = this.#uncommittedLimit
    this.#uncommitted.set(partition, bound)
  }

  /** Lost, or released: from now on nothing of it may be committed. */
  gone(partition: string): void {
    this.#owned.delete(partition)
  }

  ownedEpoch(partition: string): number | undefined {
    return this.#owned.get(partition)
  }

  pullCommanded(source: number, credit: Credit): void {
    if (this.#granted.has(source)) throw new Violation(`two pulls from source ${source} at once`)
    if (!(credit.records >= 1 && credit.bytes >= 1)) throw new Violation('a pull without credit')
    this.#granted.set(source, credit)
  }

  pullEnded(source: number): void {
    this.#granted.delete(source)
  }

  touched(stage: string, tokens: readonly Token[]): void {
    for (const { delivery } of tokens)
      if (delivery.doneBefore)
        throw new Violation(`promise 5: '${stage}' runs for ${delivery.record.id}, which was committed as done`)
  }

  callStarted(stage: string, value: Value, nowMs: number, attempt: number): void {
    const tokens = tokensOf(value)
    this.touched(stage, tokens)
    const book = this.#calls.get(stage) as CallBook
    book.count(value, 1)
    book.rate?.start(nowMs, stage)
    const [token] = tokens as [Token]
    const id = `${token.delivery.record.id}@${token.delivery.epoch}${token.path}`
    if (attempt !== (book.attempts.get(id) ?? 0) + 1)
      throw new Violation(`promise 16: attempt ${attempt} of ${id} at '${stage}' was not counted`)
    book.attempts.set(id, attempt)
    this.#enterLane(book, stage, token)
  }

  #enterLane(book: CallBook, stage: string, token: Token): void {
    const lane = laneOf(book.plan.order, token)
    if (lane === null) return
    const holder = book.holders.get(lane)
    if (holder !== undefined && !isSame(holder.token, token)) {
      const { delivery, path } = holder.token
      const { onFailure } = book.plan
      const failed = delivery.isFinal(stage, path)
      const over =
        holder.ended ||
        (failed &&
          (onFailure.kind !== 'deadLetter' ||
            delivery.heldLetters.has(stage) ||
            (delivery.letters.get(stage) ?? 0) > 0))
      const text = `'${stage}' starts ${token.delivery.record.id}${token.path}`
      if (!over) throw new Violation(`promise 9: ${text} while ${delivery.record.id}${path} is not terminal`)
      if (this.#inOrder.has(stage) && delivery.record.offset > token.delivery.record.offset)
        throw new Violation(`promise 9: ${text} after ${delivery.record.id} of the same ${book.plan.order}`)
    }
    book.holders.set(lane, { token, ended: false })
  }

  /** A handler has settled, or the engine gave up on it. `left`: with a result. */
  callEnded(stage: string, value: Value, left: boolean): void {
    const book = this.#calls.get(stage) as CallBook
    book.count(value, -1)
    if (!left) return
    const [token] = tokensOf(value) as [Token]
    const lane = laneOf(book.plan.order, token)
    const holder = lane === null ? undefined : book.holders.get(lane)
    if (holder !== undefined && isSame(holder.token, token)) holder.ended = true
  }

  writeStarted(plan: SinkPlan, records: number): void {
    const { name, sink } = plan
    const live = (this.#writes.get(name) ?? 0) + 1
    this.#writes.set(name, live)
    const { maxInFlightWrites, maxBatchRecords } = sink.capabilities
    if (live > maxInFlightWrites) throw new Violation(`promise 8: ${live} writes to '${name}' at once`)
    if (records < 1 || records > maxBatchRecords) throw new Violation(`a write of ${records} records to '${name}'`)
  }

  writeEnded({ name }: SinkPlan): void {
    this.#writes.set(name, (this.#writes.get(name) as number) - 1)
  }

  /** A value is durable in a sink. */
  stored(plan: SinkPlan, value: Value): void {
    for (const token of tokensOf(value)) {
      if (this.#orderedSinks.has(plan.name)) this.#storedInOrder(plan, token)
      token.delivery.written.add(`${plan.name}|${token.path}`)
      this.#fates.isDone(token.delivery)
    }
  }

  #storedInOrder(plan: SinkPlan, token: Token): void {
    const { record, epoch } = token.delivery
    if (record.done || this.#owned.get(record.partition) !== epoch) return
    const order = plan.order === 'partition' ? 'partition' : 'key'
    const lane = laneOf(order, { ...token, delivery: token.delivery }, false)
    if (lane === null) return
    const entry = this.#byLane.get(`${order} ${lane}`) ?? this.#lane(order, lane, record)
    for (let at = entry.done; at < entry.records.length; at += 1) {
      const before = entry.records[at] as StoredRecord
      if (before.offset >= record.offset) return
      if (!this.#fates.isRecordDone(before)) {
        const text = `${record.id} is stored in '${plan.name}' before ${before.id} of the same ${order} is terminal`
        throw new Violation(`promise 9: ${text}`)
      }
      entry.done = at + 1
    }
  }

  #lane(order: 'key' | 'partition', lane: string, { partition, key }: StoredRecord) {
    const { records } = this.#partitions.get(partition) as BrokerPartition
    const entry = { records: order === 'key' ? records.filter((record) => record.key === key) : records, done: 0 }
    this.#byLane.set(`${order} ${lane}`, entry)
    return entry
  }

  /**
   * Judges a commit at the moment it is commanded: later is too late. In a transaction what is committed becomes
   * durable with the commit itself, so the two parts are judged apart.
   */
  commitCommanded(positions: readonly Position[], part: 'all' | 'owned' | 'durable' = 'all'): void {
    for (const { partition: name, epoch, nextOffset, doneAhead } of positions) {
      const partition = this.#partitions.get(name) as BrokerPartition
      if (part !== 'durable' && this.#owned.get(name) !== epoch)
        throw new Violation(`promise 4: a commit of ${name} with epoch ${epoch}, but it has ${this.#owned.get(name)}`)
      if (epoch === partition.epoch && nextOffset < partition.nextOffset)
        throw new Violation(`promise 3: ${name} is committed back from ${partition.nextOffset} to ${nextOffset}`)
      const ahead = doneAhead === null ? [] : decodeDoneSet(nextOffset, doneAhead)
      if (ahead === null) throw new Violation(`promise 2: the done-ahead set of ${name} cannot be read`)
      if (part === 'owned') continue
      this.#mustBeDone(partition, 0, nextOffset)
      for (let at = 0; at < ahead.length; at += 2)
        this.#mustBeDone(partition, ahead[at] as number, ahead[at + 1] as number)
    }
  }

  readonly #doneFloor = new Map<BrokerPartition, number>()

  #mustBeDone(partition: BrokerPartition, from: number, to: number): void {
    const { records } = partition
    let at = from === 0 ? (this.#doneFloor.get(partition) ?? 0) : lowerBound(records, from)
    for (; at < records.length; at += 1) {
      const record = records[at] as StoredRecord
      if (record.offset >= to) break
      if (!this.#fates.isRecordDone(record))
        throw new Violation(`promise 1: ${record.id} is committed and not everything of it is durable`)
    }
    if (from === 0) this.#doneFloor.set(partition, at)
  }

  // ── What must hold after each step ───────────────────────────────────────

  check(snapshot: EngineSnapshot): void {
    const { records, admission, places, checks } = snapshot
    const sum =
      records.out + records.filtered + records.deadLettered + records.skipped + records.returned + records.inFlight
    if (records.in !== sum || records.inFlight < 0 || records.in !== this.admitted)
      throw new Violation(
        `promise 20: ${this.admitted} admitted, in ${records.in}, accounted for ${sum} (${JSON.stringify(records)})`,
      )
    let grantedRecords = 0
    let grantedBytes = 0
    for (const credit of this.#granted.values()) {
      grantedRecords += credit.records
      grantedBytes += credit.bytes
    }
    if (admission.records !== records.inFlight)
      throw new Violation(`promise 7: ${admission.records} hold credit and ${records.inFlight} are in flight`)
    this.#records.check(records.inFlight + grantedRecords, 'promise 6', 'records')
    // While a lowered bound is exceeded, what was granted before may still bring its first record.
    const firsts = this.#granted.size * this.#plan.admission.maxRecordBytes
    if (!this.#oversized) this.#bytes.check(admission.bytes + grantedBytes, 'promise 6', 'bytes', firsts)
    for (const { limiter, plan } of this.#calls.values())
      for (const { live, bound } of limiter.tenants.values()) bound.check(live, 'promise 8', `calls of '${plan.name}'`)
    for (const [name, epoch] of this.#owned) {
      const partition = this.#partitions.get(name) as BrokerPartition
      // A commit that cannot carry all that is done ahead may store less than the one before: then there is no bound.
      if (partition.epoch !== epoch || !this.#storesAll[partition.source]) continue
      const bound = this.#uncommitted.get(name) as Bound
      bound.check(partition.uncommitted(), 'promise 10', `dispatched and uncommitted of ${name}`, grantedRecords)
    }
    this.#checkPlaces(places, admission)
    if (checks.statesError > 0.01) throw new Violation(`the slots' states are ${checks.statesError} off`)
    if (checks.littleError > 0.05) throw new Violation(`Little's law is ${checks.littleError} off`)
  }

  /** Of bytes only where an item stands for one record: an output weighs what its record weighs. */
  #checkPlaces(places: EngineSnapshot['places'], admission: EngineSnapshot['admission']): void {
    let records = 0
    let bytes = 0
    for (const place of places) {
      if (place.records < 0 || place.bytes < 0) throw new Violation(`place '${place.name}' holds less than nothing`)
      records += place.records
      bytes += place.bytes
    }
    const open = admission.items
    const alike = !this.oneToOne || (open === admission.records && bytes === admission.bytes)
    if (records === open && alike && open > 0 === admission.records > 0) return
    const text = JSON.stringify(places.filter((place) => place.records !== 0))
    throw new Violation(
      `places hold ${records} items (${bytes} B), ${open} are open of ${admission.records} (${admission.bytes} B): ${text}`,
    )
  }
}

function laneOf(order: Order, { delivery }: Token, epoch = true): string | null {
  const { record } = delivery
  if (order === 'none' || (order === 'key' && record.key === null)) return null
  const lane = order === 'key' ? `${record.partition} ${record.key}` : record.partition
  return epoch ? `${lane} @${delivery.epoch}` : lane
}

function isSame(a: Token, b: Token): boolean {
  return a.delivery === b.delivery && a.path === b.path
}

function lowerBound(records: readonly StoredRecord[], offset: number): number {
  let low = 0
  let high = records.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((records[middle] as StoredRecord).offset < offset) low = middle + 1
    else high = middle
  }
  return low
}

export function callsOf({ stages, end }: Plan['flow']): CallPlan[] {
  const own = stages.filter((stage): stage is CallPlan => stage.kind === 'call')
  return end.kind === 'sink' ? own : [...own, ...[...end.branches.values()].flatMap(callsOf)]
}

function isOneToOne({ stages, end }: Plan['flow']): boolean {
  const combines = stages.findIndex((stage) => stage.kind === 'batch')
  const flat = stages.every(({ kind }) => kind !== 'flatMap') && (combines < 0 || combines === stages.length - 1)
  return flat && (end.kind === 'sink' || [...end.branches.values()].every(isOneToOne))
}

/** Sinks at the end of a line in which every call keeps an order at least as strict as the sink's. */
function orderedSinksOf({ flow, sources }: Plan): Set<string> {
  const { stages, end } = flow
  if (end.kind !== 'sink' || end.order === 'none') return new Set()
  const keeps = (order: Order): boolean => order === end.order || order === 'partition'
  const skipped = stages.every((stage) => stage.kind !== 'call' || keeps(stage.order))
  // A dead letter of a stage without lanes is confirmed in its own time: later records of the key do not wait for it.
  const lettersApart = [...sources, ...stages].some(
    (stage) => 'onFailure' in stage && stage.onFailure.kind === 'deadLetter' && !('order' in stage),
  )
  return skipped && !lettersApart ? new Set([end.name]) : new Set()
}
