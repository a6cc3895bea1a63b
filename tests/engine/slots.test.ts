import { describe, expect, test } from 'vitest'
import { type Caller, SlotList } from '../../src/engine/slots.ts'
import { StageMeter } from '../../src/engine/stage-meter.ts'
import { newItem, newPartition } from './items.ts'

describe('the waves of a stage', () => {
  test('one is used again only once all that began in it has ended and is measured', () => {
    const slots = new SlotList({} as Caller)
    const meter = new StageMeter(4, 0)
    const partition = newPartition('p', 0)
    const start = (nowMs: number) => slots.take(newItem(partition, 0), slots.waveOf(1, nowMs))
    const first = start(1)
    const stays = start(2)
    slots.release(first)
    meter.ended(first.wave, 3)
    // Nothing has measured the first wave yet, and of the second one an attempt goes on.
    start(3)
    slots.take(newItem(partition, 0), slots.waveOf(2, 3))
    meter.account(3, 5, 3, 0, 'idle')
    for (const nowMs of [4, 5, 6]) {
      start(nowMs)
      meter.account(nowMs, 5, 4, 0, 'idle')
    }
    expect(stays.startedMs).toBe(2)
    slots.release(stays)
    meter.ended(stays.wave, 10)
    meter.account(10, 5, 4, 0, 'idle')
    const { durations } = meter.status('call', 'call', 'idle', 4, 5)
    expect(durations).toMatchObject({ count: 2, ms: 3 - 1 + (10 - 2) })
  })

  test('attempts that follow each other keep their own times', () => {
    const slots = new SlotList({} as Caller)
    const meter = new StageMeter(1, 0)
    const item = newItem(newPartition('p', 0), 0)
    const waves = new Set<unknown>()
    let ms = 0
    for (let turn = 1; turn <= 100; turn += 1) {
      const slot = slots.take(item, slots.waveOf(1, turn * turn))
      waves.add(slot.wave)
      expect(slot.startedMs).toBe(turn * turn)
      meter.ended(slot.wave, (turn + 1) ** 2)
      ms += (turn + 1) ** 2 - turn * turn
      slots.release(slot)
      meter.account((turn + 1) ** 2, 1, 0, 0, 'idle')
    }
    expect(meter.status('call', 'call', 'idle', 0, 1).durations).toMatchObject({ count: 100, ms })
    expect(waves.size).toBe(3)
  })
})

describe('a stage that stays full', () => {
  test('is charged once it changes, or when somebody looks', () => {
    const slots = 2
    const meter = new StageMeter(slots, 0)
    const awaited = (): number => meter.status('call', 'call', 'concurrency', slots, slots).states.AWAIT * 1000
    for (let nowMs = 0; nowMs <= 10; nowMs += 1) meter.account(nowMs, slots, slots, 0, 'concurrency')
    meter.clock.advance(10)
    expect(awaited()).toBeCloseTo(slots * 10)
    for (let nowMs = 11; nowMs <= 20; nowMs += 1) meter.account(nowMs, slots, slots, 0, 'concurrency')
    meter.account(20, slots, 1, 0, 'idle')
    meter.clock.advance(30)
    expect(awaited()).toBeCloseTo(slots * 20 + 10)
  })
})
