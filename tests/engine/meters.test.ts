/** The histogram, the slot clock and the head gate: small machines whose figures the rest relies on. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Admission } from '../../src/engine/admission.ts'
import { Histogram } from '../../src/engine/histogram.ts'
import { AWAIT, CPU, IDLE, RATE, SlotClock } from '../../src/engine/slot-clock.ts'

describe('the histogram', () => {
  test('a quantile is at most one sixteenth above the true one, and never below it', () => {
    const values = fc.array(fc.double({ min: 0, max: 1e7, noNaN: true }), { minLength: 1, maxLength: 300 })
    fc.assert(
      fc.property(values, fc.constantFrom(0.5, 0.95, 0.99, 1), (samples, q) => {
        const histogram = new Histogram()
        for (const ms of samples) histogram.record(ms)
        const exact = [...samples].sort((a, b) => a - b)[Math.ceil(samples.length * q) - 1] as number
        const found = histogram.quantile(q)
        expect(found).toBeGreaterThanOrEqual(exact - 1e-9)
        expect(found).toBeLessThanOrEqual(exact * 1.0625 + 1 / 16)
        expect(histogram.total).toBe(samples.length)
      }),
    )
  })

  test('takes zero, negative and absurdly long durations without losing count', () => {
    const histogram = new Histogram()
    for (const ms of [0, -5, 1e12, 0.001]) histogram.record(ms)
    expect(histogram.total).toBe(4)
    expect(histogram.status().max).toBe(1e12)
    expect(new Histogram().status()).toEqual({ p50: 0, p95: 0, p99: 0, max: 0 })
  })
})

describe('the slot clock', () => {
  test('the states sum to slots × time, however the slots move and however many there are', () => {
    const step = fc.record({
      ms: fc.integer({ min: 0, max: 100 }),
      slots: fc.integer({ min: 1, max: 8 }),
      busy: fc.nat(8),
      cpu: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const clock = new SlotClock(1, 0)
        let now = 0
        let expectedMs = 0
        let slots = 1
        for (const { ms, slots: next, busy, cpu } of steps) {
          now += ms
          expectedMs += ms * slots
          clock.advance(now)
          if (cpu && slots > 0 && ms > 0) clock.ranOfAwait(1)
          slots = next
          clock.resize(slots)
          clock.counts.fill(0)
          clock.counts[AWAIT] = Math.min(busy, slots)
          clock.counts[RATE] = slots - Math.min(busy, slots)
        }
        expect(clock.error()).toBeLessThan(1e-9)
        expect(Object.values(clock.seconds()).reduce((sum, seconds) => sum + seconds, 0)).toBeCloseTo(expectedMs / 1000)
      }),
    )
  })

  test('user code that runs between two loops is charged once', () => {
    const clock = new SlotClock(1, 0)
    clock.advance(10)
    clock.run(CPU, 5)
    clock.advance(15)
    clock.advance(20)
    expect([clock.slotMs(IDLE), clock.slotMs(CPU), clock.error()]).toEqual([15, 5, 0])
  })
})

describe('the head gate', () => {
  const LIMITS = { records: 1000, bytes: 10_000, residenceMs: 1000, maxRecordBytes: 500, uncommittedRecords: 1000 }

  function newAdmission(floorRecords: number): Admission {
    const admission = new Admission(LIMITS, 0)
    admission.floorRecords = floorRecords
    return admission
  }

  test('promise 6: whatever is granted and however much over it the first records are, the bytes stay within', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('grant' as const), share: fc.integer({ min: 1, max: 3 }) }),
      fc.record({ kind: fc.constant('deliver' as const), first: fc.integer({ min: 1, max: 500 }) }),
      fc.record({ kind: fc.constant('release' as const), which: fc.nat() }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const gate = newAdmission(1000)
        const granted: { records: number; bytes: number }[] = []
        const held: number[] = []
        for (const step of steps) {
          if (step.kind === 'grant') {
            const credit = gate.credit()
            if (credit === null) continue
            const share = {
              records: Math.max(1, Math.floor(credit.records / step.share)),
              bytes: Math.max(1, Math.floor(credit.bytes / step.share)),
            }
            gate.reserve(share)
            granted.push(share)
          } else if (step.kind === 'deliver') {
            const credit = granted.shift()
            if (credit === undefined) continue
            gate.unreserve(credit)
            // The first record may exceed the credit; otherwise it is used to the last byte.
            const bytes = Math.max(step.first, credit.bytes)
            gate.admit(1, bytes)
            held.push(bytes)
          } else if (held.length > 0) gate.release(1, held.splice(step.which % held.length, 1)[0] as number)
          expect(gate.bytes).toBeLessThanOrEqual(LIMITS.bytes)
          expect(gate.records).toBeLessThanOrEqual(LIMITS.records)
        }
      }),
    )
  })

  test('what is in flight stays under throughput × residence, but never below what keeps the slots busy', () => {
    const gate = newAdmission(50)
    expect(gate.limit()).toEqual({ records: 50, reason: 'residence' })
    gate.throughput.completed(200)
    gate.sample(1000)
    expect(gate.limit()).toEqual({ records: 200, reason: 'residence' })
    for (let now = 1100; now < 20_000; now += 100) gate.sample(now)
    expect(gate.limit()).toEqual({ records: 50, reason: 'residence' })
  })

  test('narrows from 70 % of the heap on and is closed at 85 %', () => {
    const gate = newAdmission(1000)
    gate.observeHeap(70, 100)
    expect(gate.limit()).toEqual({ records: 1000, reason: 'records' })
    gate.observeHeap(80, 100)
    expect(gate.limit().reason).toBe('heap')
    expect(gate.limit().records).toBeCloseTo(333, -1)
    gate.observeHeap(90, 100)
    expect(gate.credit()).toBeNull()
    expect(gate.reason()).toBe('heap')
    gate.observeHeap(10, 100)
    expect(gate.credit()).not.toBeNull()
  })

  test('what clients hold back counts', () => {
    const gate = newAdmission(1000)
    gate.observeHeld(990, 100)
    expect(gate.credit()?.records).toBe(10)
    gate.admit(10, 9600)
    gate.observeHeld(10, 300)
    expect(gate.credit()).toBeNull()
    expect(gate.reason()).toBe('bytes')
  })
})
