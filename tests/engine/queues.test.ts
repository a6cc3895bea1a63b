/** The queues that items wait in: ring, heap, fair queue, chunk queue and lanes, each against a naive array. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Chunk } from '../../src/engine/chunk.ts'
import { ChunkQueue } from '../../src/engine/chunk-queue.ts'
import { FairQueue, type RowRun } from '../../src/engine/fair-queue.ts'
import { dueAt, Heap } from '../../src/engine/heap.ts'
import { Item, isStarted, leaveLanes } from '../../src/engine/item.ts'
import { Lanes } from '../../src/engine/lanes.ts'
import type { Lot } from '../../src/engine/lot.ts'
import { Outbox } from '../../src/engine/outbox.ts'
import { Ring } from '../../src/engine/ring.ts'
import { newItem, newKeyedRows, newPartition, newRows } from './items.ts'

describe('the ring', () => {
  test('is an array with two ends', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constantFrom('push' as const, 'unshift' as const), value: fc.nat(100) }),
      fc.record({ kind: fc.constantFrom('shift' as const, 'retain' as const), value: fc.integer({ min: 1, max: 5 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const ring = new Ring<number>()
        let model: number[] = []
        for (const { kind, value } of steps) {
          if (kind === 'push') {
            ring.push(value)
            model.push(value)
          } else if (kind === 'unshift') {
            ring.unshift(value)
            model.unshift(value)
          } else if (kind === 'shift') expect(ring.shift()).toBe(model.shift())
          else {
            ring.retain((entry) => entry % value !== 0)
            model = model.filter((entry) => entry % value !== 0)
          }
          expect([ring.size, ring.peek()]).toEqual([model.length, model[0]])
        }
        while (model.length > 0) expect(ring.shift()).toBe(model.shift())
        expect(ring.shift()).toBeUndefined()
      }),
    )
  })
})

describe('the heap', () => {
  test('hands out what is due first, also after some were taken out', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 50 })), fc.integer({ min: 2, max: 5 }), (times, divisor) => {
        const heap = new Heap(dueAt)
        for (const dueMs of times) heap.push({ dueMs })
        heap.retain(({ dueMs }) => dueMs % divisor !== 0)
        const model = times.filter((dueMs) => dueMs % divisor !== 0).sort((a, b) => a - b)
        expect(heap.size).toBe(model.length)
        for (const dueMs of model) {
          expect(heap.peek()?.dueMs).toBe(dueMs)
          expect(heap.pop()?.dueMs).toBe(dueMs)
        }
        expect(heap.pop()).toBeUndefined()
      }),
    )
  })
})

describe('the fair queue', () => {
  test('a partition with a deep backlog does not hold back the others', () => {
    const queue = new FairQueue()
    const deep = newPartition('deep', 0)
    const late = newPartition('late', 1)
    for (let offset = 0; offset < 1000; offset += 1) queue.push(newItem(deep, offset))
    for (let offset = 0; offset < 20; offset += 1) queue.push(newItem(late, offset))
    const firsts = Array.from({ length: 64 }, () => (queue.shift() as Item).partition.name)
    expect(firsts.filter((name) => name === 'late')).toHaveLength(20)
  })

  test('nor does one that is taken many rows at a time', () => {
    const queue = new FairQueue()
    const deep = newPartition('deep', 0)
    const late = newPartition('late', 1)
    queue.pushChunk(newRows(deep, 0, 256, 1), deep)
    queue.pushChunk(newRows(late, 0, 20, 1), late)
    let before = 0
    for (let left = 20; left > 0; ) {
      const { chunk, start, end } = queue.shiftRows(1000) as RowRun
      if (chunk.lot!.partition === late) left -= end - start
      else before += end - start
    }
    expect(before).toBeLessThanOrEqual(32)
    expect(queue.size).toBe(256 - before)
  })

  test('an item that waited for its key goes ahead of what came after it, and not of what came before', () => {
    const queue = new FairQueue()
    const partition = newPartition()
    queue.pushChunk(newRows(partition, 0, 4), partition)
    queue.push(newItem(partition, 7))
    queue.pushChunk(newRows(partition, 10, 3), partition)
    for (const offset of [11.5, 5, 2.5, 20, 3.5]) queue.rejoin(newItem(partition, offset))
    const order: number[] = []
    while (queue.size > 0) {
      const rows = queue.shiftRows(10)
      if (rows === null) order.push((queue.shift() as Item).sequence)
      else order.push(...(rows.chunk.values.slice(rows.start, rows.end) as number[]))
    }
    expect(order).toEqual([0, 1, 2, 2.5, 3, 3.5, 5, 7, 10, 11, 11.5, 12, 20])
  })

  test('and is taken out with the others when its partition is given up', () => {
    const queue = new FairQueue()
    const [kept, gone] = [newPartition('kept', 0), newPartition('gone', 1)]
    for (const partition of [kept, gone]) {
      queue.push(newItem(partition, 1))
      queue.rejoin(newItem(partition, 0))
    }
    const dropped = queue.purge(({ partition }) => partition === gone)
    expect(dropped.map(({ sequence }) => sequence).sort()).toEqual([0, 1])
    expect([queue.size, queue.bytes]).toEqual([2, 20])
    expect([queue.shift()?.sequence, queue.shift()?.sequence, queue.shift()]).toEqual([0, 1, undefined])
  })

  test('gives rows of a partition that is no longer ours one by one', () => {
    const queue = new FairQueue()
    const partition = newPartition('gone', 0)
    queue.pushChunk(newRows(partition, 0, 3, 1), partition)
    partition.fenced = true
    expect(queue.shiftRows(3)).toBeNull()
    expect(queue.shift()).toMatchObject({ row: 0 })
  })

  test('each partition keeps its order, counts and bytes add up, and dropped items are gone', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(4), fc.nat(5), fc.nat(40))), (steps) => {
        const queue = new FairQueue()
        const partitions = Array.from({ length: 5 }, (_, index) => newPartition(`p${index}`, index))
        const model: { sequence: number; bytes: number }[][] = partitions.map(() => [])
        let offset = 0
        for (const [which, records, most] of steps) {
          const rows = records === 0 && most > 0 ? queue.shiftRows(most) : null
          if (rows !== null) {
            expect(rows.end - rows.start).toBeLessThanOrEqual(most)
            const { index } = rows.chunk.lot!.partition
            let bytes = 0
            for (let at = rows.start; at < rows.end; at += 1) {
              const item = rows.chunk.itemAt(at)
              expect(item).toMatchObject(model[index]!.shift()!)
              bytes += item.bytes
            }
            expect(rows.bytes).toBe(bytes)
          } else if (records === 0) {
            const item = queue.shift()
            if (item === undefined) continue
            expect(item).toMatchObject(model[item.partition.index]!.shift()!)
          } else {
            const bytes = offset % 7
            if (records === 1) queue.push(newItem(partitions[which]!, offset, null, bytes))
            else queue.pushChunk(newRows(partitions[which]!, offset, records, bytes), partitions[which]!)
            for (let left = records; left > 0; left -= 1) model[which]!.push({ sequence: offset++, bytes })
          }
        }
        const dropped = queue.purge(({ sequence }) => sequence % 3 === 0)
        const sequences = (of: readonly { sequence: number }[]): Set<number> =>
          new Set(of.map(({ sequence }) => sequence))
        expect(sequences(dropped)).toEqual(sequences(model.flat().filter(({ sequence }) => sequence % 3 === 0)))
        const rest = model.map((line) => line.filter(({ sequence }) => sequence % 3 !== 0))
        expect(queue.size).toBe(rest.flat().length)
        expect(queue.bytes).toBe(rest.flat().reduce((sum, { bytes }) => sum + bytes, 0))
        for (let left = queue.size; left > 0; left -= 1) {
          const item = queue.shift() as Item
          expect(item).toMatchObject(rest[item.partition.index]!.shift()!)
        }
      }),
    )
  })
})

describe('the chunk queue', () => {
  test('gives items in order, in chunks no larger than asked for', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 20 }),
        fc.integer({ min: 1, max: 6 }),
        (sizes, most) => {
          const queue = new ChunkQueue()
          const partition = newPartition()
          const all: Item[] = []
          for (const size of sizes) {
            const chunk = Array.from({ length: size }, (_, at) => newItem(partition, all.length + at))
            all.push(...chunk)
            queue.push(Chunk.ofItems(chunk))
          }
          expect(queue.bytes).toBe(all.length * 10)
          const dropped = queue.purge(({ sequence }) => sequence % 4 === 1)
          expect(dropped).toEqual(all.filter(({ sequence }) => sequence % 4 === 1))
          const taken: Item[] = []
          while (queue.size > 0) {
            const chunk = queue.shift(most)
            expect(chunk.length).toBeLessThanOrEqual(most)
            taken.push(...chunk.toItems())
          }
          expect(taken).toEqual(all.filter(({ sequence }) => sequence % 4 !== 1))
        },
      ),
    )
  })
})

describe('lanes', () => {
  test('one item of a key holds it, the others follow in their order, and keyless items never wait', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('enter' as const), key: fc.option(fc.constantFrom('a', 'b', 'c')) }),
      fc.record({ kind: fc.constantFrom('leave' as const, 'purge' as const), key: fc.constantFrom('a', 'b', 'c') }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const ready: Item[] = []
        const lanes = new Lanes('key', (item) => ready.push(item))
        const partition = newPartition()
        const model = new Map<string, Item[]>()
        let offset = 0
        for (const { kind, key } of steps) {
          const line = model.get(key ?? '') ?? []
          if (kind === 'enter') {
            const item = newItem(partition, offset, key)
            offset += 1
            expect(lanes.enter(item)).toBe(key === null || line.length === 0)
            if (key !== null) model.set(key, [...line, item])
          } else if (kind === 'leave' && line.length > 0) {
            line[0]?.lane?.leave()
            model.set(key as string, line.slice(1))
            if (line.length > 1) expect(ready.pop()).toBe(line[1])
            expect(ready).toEqual([])
          } else if (kind === 'purge') {
            const drop = ({ sequence }: Item): boolean => sequence % 2 === 0
            const waiting = [...model.values()].flatMap((items) => items.slice(1))
            expect(new Set(lanes.purge(drop))).toEqual(new Set(waiting.filter(drop)))
            for (const [name, items] of model)
              model.set(name, [...items.slice(0, 1), ...items.slice(1).filter((item) => !drop(item))])
          }
          const waiting = [...model.values()].reduce((sum, items) => sum + Math.max(0, items.length - 1), 0)
          expect([lanes.waiting, lanes.waitingBytes]).toEqual([waiting, waiting * 10])
        }
      }),
    )
  })

  test('rows hold their keys as items do: the others wait in order, and follow once the row has ended', () => {
    const chunks = fc.array(fc.array(fc.option(fc.constantFrom('a', 'b', 'c')), { maxLength: 8 }), { maxLength: 8 })
    fc.assert(
      fc.property(chunks, (keysOfChunks) => {
        const ready: Item[] = []
        const lanes = new Lanes('key', (item) => ready.push(item))
        const partition = newPartition()
        const started: { readonly key: string | null; readonly sequence: number }[] = []
        const held: { readonly lot: Lot; readonly row: number }[] = []
        let offset = 0
        for (const keys of keysOfChunks) {
          const chunk = newKeyedRows(partition, offset, keys)
          offset += keys.length
          const lot = chunk.lot as Lot
          lanes.enterRows(chunk, lot)
          for (const row of chunk.refs as number[]) {
            held.push({ lot, row })
            started.push({ key: lot.columns.keyAt(row), sequence: lot.span.firstSequence + row })
          }
        }
        expect(started.length + lanes.waiting).toBe(offset)
        for (const { lot, row } of held) lot.leaveLanes([row])
        while (ready.length > 0) {
          const item = ready.shift() as Item
          started.push(item)
          leaveLanes(item)
        }
        expect([lanes.waiting, lanes.size]).toEqual([0, 0])
        for (const key of ['a', 'b', 'c']) {
          const sequences = started.filter((record) => record.key === key).map(({ sequence }) => sequence)
          expect(sequences).toEqual(keysOfChunks.flat().flatMap((each, at) => (each === key ? [at] : [])))
        }
      }),
    )
  })

  test('no lane is kept for a key once all of its items have ended', () => {
    const lanes = new Lanes('key', () => {})
    const partition = newPartition()
    const items = Array.from({ length: 100_000 }, (_, at) => newItem(partition, at, `key-${at}`))
    for (const item of items) lanes.enter(item)
    expect(lanes.size).toBe(100_000)
    for (const item of items) item.lane?.leave()
    expect(lanes.size, 'the items have not ended: where their keys go is still known').toBe(100_000)
    for (const item of items) leaveLanes(item)
    expect(lanes.size).toBe(0)
  })

  test('lanes of later stages hang on those of the first and outlive no item', () => {
    const stages = [new Lanes('key', () => {}), new Lanes('key', () => {}), new Lanes('key', () => {})] as const
    const [first, left, right] = stages
    const partition = newPartition()
    const keys = Array.from({ length: 40_000 }, (_, at) => `key-${at}`)
    const lines = keys.map((key, at) => [newItem(partition, at, key), newItem(partition, at, key)] as const)
    const moveOn = (item: Item, to: Lanes): boolean => {
      item.lane?.leave()
      return to.enter(item)
    }
    const entered = (...both: boolean[]): string => both.join()
    expect(new Set(lines.map(([one, other]) => entered(first.enter(one), first.enter(other))))).toEqual(
      new Set(['true,false']),
    )
    // Two branches: a key is held in each of them for itself.
    expect(new Set(lines.map(([one, other]) => entered(moveOn(one, left), moveOn(other, right))))).toEqual(
      new Set(['true,true']),
    )
    expect(stages.map(({ size }) => size)).toEqual([keys.length, 0, 0])
    const late = newItem(partition, 0, keys[0])
    expect([first.enter(late), moveOn(late, left)], 'the key is held in that branch').toEqual([true, false])
    expect(left.purge((item) => item === late)).toEqual([late])
    for (const items of lines.slice(1)) for (const item of items) leaveLanes(item)
    expect(first.size).toBe(1)
    const again = newItem(partition, 0, keys[0])
    expect([first.enter(again), moveOn(again, left)], 'it is held still').toEqual([true, false])
  })

  test('with order by key in between, records with a key and without meet again in the lane of their partition', () => {
    const stages = [
      new Lanes('partition', () => {}),
      new Lanes('key', () => {}),
      new Lanes('partition', () => {}),
    ] as const
    const partition = newPartition()
    const keyed = newItem(partition, 0, 'a')
    const keyless = newItem(partition, 1, null)
    const entered = stages.map((stage) =>
      [keyed, keyless].map((item) => {
        item.lane?.leave()
        return stage.enter(item)
      }),
    )
    expect(entered.at(-1)).toEqual([true, false])
  })

  test('by partition, all records of a partition share a lane', () => {
    const lanes = new Lanes('partition', () => {})
    const [one, two] = [newPartition('one', 0), newPartition('two', 1)]
    expect(lanes.enter(newItem(one, 0, 'a'))).toBe(true)
    expect(lanes.enter(newItem(one, 1, 'b'))).toBe(false)
    expect(lanes.enter(newItem(two, 0, null))).toBe(true)
  })
})

describe('the outbox of a call stage', () => {
  const push = fc.record({
    kind: fc.constantFrom('item', 'row'),
    lot: fc.nat(2),
    times: fc.integer({ min: 1, max: 20 }),
  })
  const take = fc.record({ kind: fc.constant('take'), lot: fc.constant(0), times: fc.integer({ min: 1, max: 30 }) })

  test('hands out every result once with its record, the items in order, and counts what is left', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(push, take), { maxLength: 60 }), fc.nat(2), (steps, fencedLot) => {
        const partitions = [0, 1, 2].map((index) => newPartition(`topic/${index}`, index))
        const lots = partitions.map((partition) => newRows(partition, 0, 1200, 7).itemAt(0).lot)
        const outbox = new Outbox()
        const items: number[] = []
        const nextRow = [0, 0, 0]
        const out: Item[] = []
        const shift = (room: number): number => {
          const chunk = outbox.shift(room)
          if (chunk === null) return 0
          const { length, lot } = chunk
          expect(length).toBeLessThanOrEqual(room)
          for (const item of chunk.toItems()) {
            expect(isStarted(item)).toBe(true)
            expect(item.value).toBe(`result ${item.lot.partition.index} ${item.row}`)
            if (lot !== null) expect(item.lot).toBe(lot)
            out.push(item)
          }
          return length
        }
        for (const { kind, lot: at, times } of steps) {
          for (let left = times; kind !== 'take' && left > 0; left -= 1) {
            const row = nextRow[at]!++
            const value = `result ${at} ${row}`
            if (kind === 'row') {
              outbox.pushRow(lots[at]!, row, 7, value)
            } else {
              const item = new Item(null, lots[at]!, row, value)
              item.started = true
              outbox.push(item)
              items.push(at * 10_000 + row)
            }
          }
          if (kind === 'take') for (let room = times; room > 0; ) room -= shift(room) || room
          expect(outbox.length).toBe(nextRow.reduce((sum, row) => sum + row, 0) - out.length)
          expect(outbox.bytes).toBe(outbox.length * 7)
        }
        partitions[fencedLot]!.fenced = true
        const open = outbox.length
        const fenced = outbox.takeFenced().flatMap((chunk) => chunk.toItems())
        expect(outbox.length).toBe(open - fenced.length)
        for (const item of fenced) expect(item.lot.partition).toBe(partitions[fencedLot])
        while (shift(25) > 0);
        expect([outbox.length, outbox.bytes, outbox.shift(1)]).toEqual([0, 0, null])
        const all = [...out, ...fenced].map(({ lot, row }) => lot.partition.index * 10_000 + row)
        expect(all.sort((a, b) => a - b)).toEqual(
          nextRow.flatMap((count, at) => Array.from({ length: count }, (_, row) => at * 10_000 + row)),
        )
        const order = out.map(({ lot, row }) => lot.partition.index * 10_000 + row)
        const seen = order.filter((code) => items.includes(code))
        expect(seen).toEqual(items.filter((code) => seen.includes(code)))
      }),
    )
  })

  test('makes no chunk of its own for each of a few rows', () => {
    const lots = [0, 1].map((index) => newRows(newPartition(`topic/${index}`, index), 0, 100).itemAt(0).lot)
    const outbox = new Outbox()
    for (let row = 0; row < 100; row += 1) for (const lot of lots) outbox.pushRow(lot, row, 10, row)
    expect(outbox.shift(1000)?.length).toBe(200)
    for (const lot of lots) for (let row = 0; row < 100; row += 1) outbox.pushRow(lot, row, 10, row)
    expect([outbox.shift(1000)?.length, outbox.shift(1000)?.length, outbox.shift(1000)]).toEqual([100, 100, null])
  })
})
