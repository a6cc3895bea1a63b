/**
 * Bugs that users of other consumers met, each as a sequence of events by hand, with the behaviour that is right. The
 * name of a case says where the bug was reported; cases without a name are of our own making.
 */
import { describe, expect, test } from 'vitest'
import { CallLine } from '../../src/engine/call-line.ts'
import { decodeDoneSet, encodeDoneSet } from '../../src/engine/done-set.ts'
import { LimiterPool } from '../../src/engine/limiter-pool.ts'
import { Retries } from '../../src/engine/retries.ts'
import type { DeadLetter, Sink, WriteOutcome } from '../../src/model/connector.ts'
import { HeadgateError, reject } from '../../src/model/errors.ts'
import { batch, callPlan, Hand, planOf, sinkPlan } from './hand.ts'
import { newItem, newPartition } from './items.ts'
import { ADMISSION, modelledSink, QUICK_RETRY } from './topology.ts'

const FAILED: WriteOutcome = { kind: 'failed', error: new Error('not this time') }
const WRITTEN: WriteOutcome = { kind: 'written' }
const LOST_CONNECTION = new HeadgateError('HG_CONNECTION_LOST', 'gone')
const ONCE = { ...QUICK_RETRY, attempts: 1 }
const oneRecordWrites = { maxBatchRecords: 1, maxInFlightWrites: 10 }

function letters(): Sink<DeadLetter> {
  return modelledSink('letters') as Sink<never> as Sink<DeadLetter>
}

describe('what is committed', () => {
  test('parallel-consumer#826: the oldest open record, not the highest one seen', () => {
    const hand = new Hand(planOf({ stages: [callPlan()], end: sinkPlan({}, oneRecordWrites) }))
    hand.pulled(batch('p', 1, [0, 1, 2, 3]))
    const call = hand.take('call')
    for (const at of [1, 2, 3]) hand.settle(call, at)
    for (let left = 3; left > 0; left -= 1) hand.wrote(hand.take('write'))
    let [position] = hand.commit()
    while (hand.has('commit') || hand.engine.wakeMs() < 100) [position] = hand.commit()
    expect(position).toMatchObject({ partition: 'p', epoch: 1, nextOffset: 0 })
    expect(decodeDoneSet(0, position?.doneAhead as Uint8Array)).toEqual([1, 4])
  })

  test('parallel-consumer#894: position and metadata are of one moment, and what completes meanwhile is not forgotten', () => {
    const hand = new Hand(planOf({ stages: [], end: sinkPlan({}, oneRecordWrites) }))
    hand.pulled(batch('p', 1, [0, 1, 2]))
    const writes = [hand.take('write'), hand.take('write'), hand.take('write')] as const
    hand.wrote(writes[1])
    hand.step(() => {}, 10)
    const { positions } = hand.take('commit')
    expect([positions[0]?.nextOffset, decodeDoneSet(0, positions[0]?.doneAhead as Uint8Array)]).toEqual([0, [1, 2]])
    hand.wrote(writes[0])
    hand.wrote(writes[2])
    expect(hand.has('commit'), 'a second commit while one is under way').toBe(false)
    hand.step(() => hand.engine.committed(0, null))
    expect(hand.commit()).toEqual([{ partition: 'p', epoch: 1, nextOffset: 3, doneAhead: null }])
    expect(hand.engine.wakeMs()).toBe(Number.POSITIVE_INFINITY)
  })

  test('vector#24215: no position beyond a hole, and gaps in the offsets are no holes', () => {
    const hand = new Hand(planOf({ stages: [], end: sinkPlan({}, oneRecordWrites) }))
    hand.pulled(batch('p', 1, [4, 9, 23]))
    const writes = [hand.take('write'), hand.take('write'), hand.take('write')] as const
    hand.wrote(writes[0])
    expect(hand.commit()[0]?.nextOffset).toBe(9)
    hand.wrote(writes[2])
    expect(hand.commit()[0]?.nextOffset).toBe(9)
    hand.wrote(writes[1])
    expect(hand.commit()[0]?.nextOffset).toBe(24)
  })

  test('vector#24543: a rejected record is not passed over, its dead letter has to be written first', () => {
    const onFailure = { kind: 'deadLetter', sink: letters() } as const
    const hand = new Hand(planOf({ stages: [], end: sinkPlan({ onFailure }) }))
    hand.pulled(batch('p', 1, [0, 1]))
    hand.wrote(hand.take('write'), [{ kind: 'rejected', error: new Error('no') }, WRITTEN])
    expect(hand.commit()[0]?.nextOffset).toBe(0)
    const letter = hand.take('write')
    expect(letter.stage.name).toBe('dead-letter:letters')
    hand.wrote(letter)
    expect(hand.commit()[0]?.nextOffset).toBe(2)
  })

  test('vector#9587: a reply to a commit of an earlier assignment neither moves nor stalls the new one', () => {
    const hand = new Hand(planOf({ stages: [], end: sinkPlan() }))
    hand.pulled(batch('p', 1, [0, 1, 2]))
    hand.wrote(hand.take('write'))
    hand.step(() => {}, 10)
    hand.take('commit')
    hand.step(() => hand.assign('p', 2, 0))
    hand.step(() => hand.engine.committed(0, null))
    hand.pulled(batch('p', 2, [0]))
    hand.wrote(hand.take('write'))
    expect(hand.commit()).toEqual([{ partition: 'p', epoch: 2, nextOffset: 1, doneAhead: null }])
  })

  test('smallrye-reactive-messaging#3455: after a rewind the commits go on from there', () => {
    const hand = new Hand(planOf({ stages: [], end: sinkPlan() }))
    hand.pulled(batch('p', 1, [100, 101]))
    hand.wrote(hand.take('write'))
    expect(hand.commit()[0]?.nextOffset).toBe(102)
    hand.step(() => hand.assign('p', 2, 10))
    hand.pulled(batch('p', 2, [10, 11]))
    hand.wrote(hand.take('write'))
    expect(hand.commit()).toEqual([{ partition: 'p', epoch: 2, nextOffset: 12, doneAhead: null }])
  })

  test('a commit that fails is tried again when its pause is over, not when the next regular one is due', () => {
    const hand = new Hand(planOf({ stages: [], end: sinkPlan() }, { commit: { intervalMs: 60_000, records: 1 } }))
    hand.pulled(batch('p', 1, [0]))
    hand.wrote(hand.take('write'))
    hand.commit(new HeadgateError('HG_COMMIT_FAILED', 'no'))
    expect(hand.engine.wakeMs()).toBeLessThanOrEqual(hand.nowMs + 200)
  })

  test('commits that the number of records calls for keep a distance, and need not wait for the regular one', () => {
    const commit = { intervalMs: 1000, records: 1 }
    const hand = new Hand(planOf({ stages: [], end: sinkPlan() }, { commit }))
    const committedAtMs: number[] = []
    const commitIfDue = (): void => {
      if (!hand.has('commit')) return
      committedAtMs.push(hand.nowMs)
      hand.commit(null)
    }
    for (let offset = 0; offset < 400; offset += 1) {
      hand.step(() => {}, 1)
      commitIfDue()
      hand.pulled(batch('p', 1, [offset]))
      hand.wrote(hand.take('write'))
      commitIfDue()
    }
    const apartMs = committedAtMs.slice(1).map((atMs, index) => atMs - (committedAtMs[index] as number))
    expect(apartMs.length).toBeGreaterThan(4)
    expect(Math.min(...apartMs)).toBeGreaterThanOrEqual(50)
    expect(Math.max(...apartMs)).toBeLessThan(commit.intervalMs)
  })

  test('promise 4: a partition that is refused on its own is fenced, and the others are committed', () => {
    const hand = new Hand(planOf({ stages: [], end: sinkPlan() }), ['a', 'b', 'c'])
    hand.pulled(batch('a', 1, [0]), batch('b', 1, [0]), batch('c', 1, [0]))
    hand.wrote(hand.take('write'))
    const fenced = new HeadgateError('HG_FENCED', 'b is stale')
    const stored: string[] = []
    for (let turn = 0; turn < 4; turn += 1) {
      if (!hand.has('commit')) hand.step(() => {}, 10)
      const { positions } = hand.take('commit')
      const isStale = positions.some(({ partition }) => partition === 'b')
      if (!isStale) stored.push(...positions.map(({ partition }) => partition))
      hand.step(() => hand.engine.committed(0, isStale ? fenced : null))
    }
    expect(stored.sort()).toEqual(['a', 'c'])
    expect(hand.engine.snapshot().sources[0]?.partitions).toBe(2)
    expect(hand.engine.wakeMs()).toBe(Number.POSITIVE_INFINITY)
  })
})

describe('a rebalance', () => {
  test('platformatic/kafka#223: what an earlier assignment has in hand counts for nothing in the new one', () => {
    const hand = new Hand(planOf({ stages: [callPlan()], end: sinkPlan() }))
    hand.pulled(batch('p', 1, [0, 1]))
    const old = hand.take('call')
    hand.step(() => hand.engine.lost(0, ['p']))
    hand.step(() => hand.assign('p', 2, 0))
    hand.pulled(batch('p', 1, [2]), batch('p', 2, [0]))
    expect(hand.engine.snapshot().records).toMatchObject({ in: 3, inFlight: 3 })
    hand.settle(old, 0)
    hand.settle(old, 1)
    expect(hand.has('write')).toBe(false)
    hand.step(() => {}, 100)
    expect(hand.has('commit')).toBe(false)
    hand.settle(hand.take('call'))
    hand.wrote(hand.take('write'))
    expect(hand.commit()).toEqual([{ partition: 'p', epoch: 2, nextOffset: 1, doneAhead: null }])
  })

  test('revoking a partition gives back nothing of another that shares a batch with it', () => {
    const stages = [
      { kind: 'batch', name: 'batch', records: 2, bytes: 1000, withinMs: 10 } as const,
      callPlan({ concurrency: { kind: 'fixed', limit: 1 } }),
    ]
    const hand = new Hand(planOf({ stages, end: sinkPlan() }), ['a', 'b'])
    hand.pulled(batch('a', 1, [0, 1, 2]), batch('b', 1, [0]))
    hand.step(() => hand.engine.revoked(0, ['a'], 1000))
    // The batch of a@2 and b@0 waits for the slot: b is still ours, and nobody would deliver b@0 again.
    expect(hand.engine.snapshot().records.returned).toBe(0)
    hand.settle(hand.take('call'))
    hand.settle(hand.take('call'))
    for (let left = 2; left > 0; left -= 1) if (hand.has('write')) hand.wrote(hand.take('write'))
    expect(hand.engine.snapshot().records).toMatchObject({ out: 4, returned: 0 })
  })

  test('promise 13: what a pull brings for a partition that is being given up is not taken in', () => {
    const hand = new Hand(planOf({ stages: [callPlan()], end: sinkPlan() }))
    hand.pulled(batch('p', 1, [0]))
    hand.step(() => hand.engine.revoked(0, ['p'], 1000))
    hand.pulled(batch('p', 1, [1, 2]))
    expect(hand.engine.snapshot().records.in).toBe(1)
    hand.settle(hand.take('call'))
    hand.wrote(hand.take('write'))
    expect(hand.commit()[0]?.nextOffset).toBe(1)
    expect(hand.take('released')).toMatchObject({ partition: 'p', epoch: 1 })
  })

  test('reactor-kafka#304: the bound of uncommitted records never becomes a lasting pause', () => {
    const admission = { ...ADMISSION, uncommittedRecords: 2 }
    const hand = new Hand(planOf({ stages: [], end: sinkPlan() }, { admission }))
    hand.pulled(batch('p', 1, [0, 1]))
    expect(hand.has('pull')).toBe(false)
    hand.wrote(hand.take('write'))
    for (let turn = 0; turn < 3; turn += 1) {
      hand.commit(new HeadgateError('HG_COMMIT_FAILED', 'no'), 5000)
      expect(hand.has('pull')).toBe(false)
    }
    hand.commit(null, 5000)
    hand.pulled(batch('p', 1, [2, 3]))
    hand.step(() => hand.assign('p', 2, 2))
    expect(hand.take('pull')).toMatchObject({ credit: { records: 2 } })
  })

  test('a partition that may flow again does not wait for a pull that left it out', () => {
    const admission = { ...ADMISSION, uncommittedRecords: 2 }
    const hand = new Hand(planOf({ stages: [], end: sinkPlan() }, { admission }), ['p', 'q'])
    hand.pulled(batch('p', 1, [0, 1]))
    const pull = hand.take('pull')
    expect([...pull.paused]).toEqual(['p'])
    hand.wrote(hand.take('write'))
    expect(hand.has('endPull')).toBe(false)
    hand.commit()
    hand.take('endPull')
    hand.step()
    expect(hand.has('endPull')).toBe(false)
    hand.step(() => hand.engine.pulled(0, { batches: [], ended: false }, { records: 0, bytes: 0 }))
    expect(hand.take('pull').paused.size).toBe(0)
  })

  test('progress of an earlier run that fills the metadata space does not pause the partition for good', () => {
    const runs = Array.from({ length: 28 }, (_, at) => [10 + at * 100, 11 + at * 100]).flat()
    const first = new Hand(planOf({ stages: [], end: sinkPlan() }, {}, 1, 64), [])
    const doneAhead = encodeDoneSet(0, runs, 64)
    expect(doneAhead?.length).toBeGreaterThan(48)
    first.step(() => first.assign('p', 1, 0, doneAhead))
    expect(first.take('pull').paused.size).toBe(0)
  })
})

describe('failures', () => {
  test('redpanda-data/connect#4009: the records of a batch that failed are written again, and not committed before', () => {
    const hand = new Hand(planOf({ stages: [], end: sinkPlan() }))
    hand.pulled(batch('p', 1, [0, 1, 2, 3, 4]))
    hand.wrote(hand.take('write'), [WRITTEN, FAILED, WRITTEN, FAILED, WRITTEN])
    expect(hand.commit()[0]).toMatchObject({ nextOffset: 1 })
    hand.step(() => {}, 1000)
    const again = hand.take('write')
    expect(again.write.origins.map(({ offset }) => offset)).toEqual([1, 3])
    hand.wrote(again)
    expect(hand.commit()[0]).toMatchObject({ nextOffset: 5, doneAhead: null })
  })

  test('parallel-consumer#832: records that wait for another attempt hold their credit, once each', () => {
    const admission = { ...ADMISSION, records: 4 }
    const hand = new Hand(planOf({ stages: [callPlan()], end: sinkPlan() }, { admission }))
    hand.pulled(batch('p', 1, [0, 1, 2, 3]))
    const call = hand.take('call')
    for (const at of [0, 1, 2, 3]) hand.settle(call, at, LOST_CONNECTION)
    const { admission: gate, places, records } = hand.engine.snapshot()
    expect([gate.records, records.inFlight]).toEqual([4, 4])
    expect(places.find(({ name }) => name === 'call backoff')).toMatchObject({ records: 4, bytes: 40 })
    expect(hand.has('pull')).toBe(false)
  })

  test('dapr#8284: a dead letter that cannot be written is kept and tried again, for ever', () => {
    const onFailure = { kind: 'deadLetter', sink: letters() } as const
    const hand = new Hand(planOf({ stages: [callPlan({ onFailure })], end: sinkPlan() }))
    hand.pulled(batch('p', 1, [0]))
    hand.settle(hand.take('call'), 0, reject('poison'))
    for (let attempt = 0; attempt < 50; attempt += 1) {
      hand.wrote(hand.take('write'), { threw: attempt % 2 === 0 ? LOST_CONNECTION : reject('refused') })
      expect(hand.has('commit')).toBe(false)
      hand.step(() => {}, 20_000)
    }
    expect(hand.engine.snapshot().records).toMatchObject({ deadLettered: 0, inFlight: 1 })
    hand.wrote(hand.take('write'))
    expect(hand.engine.snapshot().records).toMatchObject({ deadLettered: 1, inFlight: 0 })
    expect(hand.commit()[0]?.nextOffset).toBe(1)
  })

  test('spring-cloud-stream-binder-kafka#1046: a dead letter is confirmed before the records behind it are committed', () => {
    const onFailure = { kind: 'deadLetter', sink: letters() } as const
    const hand = new Hand(planOf({ stages: [callPlan({ onFailure })], end: sinkPlan() }))
    hand.pulled(batch('p', 1, [0, 1]))
    const call = hand.take('call')
    hand.settle(call, 0, reject('poison'))
    hand.settle(call, 1)
    const [letter, write] = [hand.take('write'), hand.take('write')]
    hand.wrote(write)
    expect(hand.commit()[0]?.nextOffset).toBe(0)
    hand.wrote(letter)
    expect(hand.commit()[0]?.nextOffset).toBe(2)
  })

  test.each([true, false])(
    'redpanda-data/connect#4387: what stops the pipeline is not overtaken by its key, in an atomic sink: %s',
    (atomic) => {
      const end = sinkPlan({ order: 'key', retry: ONCE }, { atomic, maxBatchRecords: 1 })
      const hand = new Hand(planOf({ stages: [callPlan({ order: 'key' })], end }))
      hand.pulled(batch('p', 1, [[0, 'a'], [1, 'a'], [2, 'b']])) // biome-ignore format: one row
      const first = hand.take('call')
      hand.settle(first, 0)
      hand.settle(hand.take('call'))
      hand.wrote(hand.take('write'), { threw: new Error('broken') })
      hand.settle(first, 1)
      for (let turn = 0; turn < 10; turn += 1) {
        while (hand.has('write')) {
          const write = hand.take('write')
          expect(write.write.origins.map(({ key }) => key)).not.toContain('a')
          hand.wrote(write)
        }
        hand.step(() => {}, 1000)
      }
      expect(hand.engine.failure?.message).toContain('p@0')
      expect(hand.engine.snapshot().records).toMatchObject({ returned: 2, inFlight: 0, out: 1 })
    },
  )

  test('promise 14: a call that a hard stop aborts is given back, not skipped', () => {
    const onFailure = { kind: 'skip' } as const
    const hand = new Hand(planOf({ stages: [callPlan({ retry: ONCE, onFailure })], end: sinkPlan() }))
    hand.pulled(batch('p', 1, [0]))
    const call = hand.take('call')
    hand.step(() => hand.engine.stop())
    hand.settle(call, 0, new HeadgateError('HG_TIMEOUT', 'the pipeline is stopping'))
    expect(hand.engine.snapshot().records).toMatchObject({ skipped: 0, returned: 1 })
    expect(hand.engine.waitingFor()).toBe("a pull from 'topic-0'")
  })

  test('a handler that does not settle after its abort delays the deadline of no other', () => {
    const hand = new Hand(planOf({ stages: [callPlan({ timeoutMs: 100 })], end: sinkPlan() }))
    hand.pulled(batch('p', 1, [0]))
    hand.nowMs = 50
    hand.pulled(batch('p', 1, [1]))
    hand.step(() => {}, 50)
    expect(hand.take('abort').reason).toBe('timeout')
    expect(hand.engine.wakeMs()).toBe(150)
  })

  test('promise 16: successes of long ago pay for no retries now', () => {
    const retries = new Retries({ ...QUICK_RETRY, budget: 1 }, 0)
    for (let left = 100_000; left > 0; left -= 1) retries.succeeded(0)
    retries.collect(0, () => {})
    const pool = new LimiterPool({ kind: 'fixed', limit: 1 }, 1000, 0, () => 0, {})
    const line = new CallLine(pool.take(null, 0))
    const partition = newPartition()
    for (let offset = 0; offset < 1000; offset += 1)
      retries.add(newItem(partition, offset), line, new HeadgateError('HG_HANDLER_FAILED', 'no'), 300_000, 0)
    let paid = 0
    retries.collect(400_000, (retry) => {
      if (retries.budgetWaitMs(retry, 400_000) > 0) return
      retries.pay(retry)
      paid += 1
    })
    expect(paid).toBeGreaterThan(0)
    expect(paid).toBeLessThanOrEqual(10)
  })
})
