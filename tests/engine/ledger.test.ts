/**
 * The ledger against a naive set: random deliveries with gaps, completions in any order, progress from earlier
 * assignments. The model knows nothing of sequences, rings or runs.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeDoneSet, doneSetBytesBound, type Runs } from '../../src/engine/done-set.ts'
import { Ledger } from '../../src/engine/ledger.ts'

class NaiveLedger {
  readonly start: number
  readonly prior: Set<number>
  readonly delivered: number[] = []
  readonly done = new Set<number>()

  constructor(start: number, prior: Runs) {
    this.start = start
    this.prior = new Set(offsetsOf(prior))
  }

  /** The first delivered offset that is not done, else the one after the last delivered. */
  get nextOffset(): number {
    const open = this.delivered.find((offset) => !this.done.has(offset))
    if (open !== undefined) return open
    const last = this.delivered.at(-1)
    return last === undefined ? this.start : last + 1
  }

  isKnownDone(offset: number): boolean {
    if (offset < this.nextOffset || this.done.has(offset)) return true
    const last = this.delivered.at(-1) ?? -1
    return offset > last && this.prior.has(offset)
  }
}

function offsetsOf(runs: Runs): number[] {
  const offsets: number[] = []
  for (let at = 0; at < runs.length; at += 2)
    for (let offset = runs[at] as number; offset < (runs[at + 1] as number); offset += 1) offsets.push(offset)
  return offsets
}

const PRIOR = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })), { maxLength: 6 })
  .map((gaps) => {
    const runs: Runs = []
    let at = 100
    for (const [gap, length] of gaps) {
      runs.push(at + gap, at + gap + length)
      at += gap + length
    }
    return runs
  })

const STEP = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('deliver' as const), gap: fc.integer({ min: 0, max: 4 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('complete' as const), which: fc.nat() }) },
)

describe('the ledger', () => {
  test('promise 2: agrees with a naive set over any deliveries, gaps, completions and earlier progress', () => {
    fc.assert(
      fc.property(PRIOR, fc.array(STEP, { maxLength: 120 }), fc.integer({ min: 7, max: 60 }), (prior, steps, space) => {
        const ledger = new Ledger(100, prior)
        const model = new NaiveLedger(100, prior)
        const open: { offset: number; sequence: number }[] = []
        let next = 100
        let position = 100
        for (const step of steps) {
          if (step.kind === 'deliver') {
            const offset = next + (step.gap === 4 ? 7 : step.gap === 3 ? 1 : 0)
            next = offset + 1
            const wasDone = ledger.wasDone(offset)
            expect(wasDone).toBe(model.prior.has(offset))
            const sequence = ledger.deliver(offset, 1000 + offset)
            model.delivered.push(offset)
            if (wasDone) {
              ledger.complete(sequence)
              model.done.add(offset)
            } else open.push({ offset, sequence })
          } else if (open.length > 0) {
            const [{ offset, sequence }] = open.splice(step.which % open.length, 1) as [(typeof open)[0]]
            expect(ledger.complete(sequence)).toBe(true)
            expect(ledger.complete(sequence), 'a second completion').toBe(false)
            model.done.add(offset)
          }
          expect(ledger.nextOffset).toBe(model.nextOffset)
          expect(ledger.nextOffset, 'a position never moves back').toBeGreaterThanOrEqual(position)
          position = ledger.nextOffset
          expect(ledger.completed).toBe(model.done.size)
          expect(ledger.delivered).toBe(model.delivered.length)
          expect(ledger.oldestOpenMs).toBe(open.length === 0 ? null : 1000 + Math.min(...open.map((o) => o.offset)))
          const runs = ledger.runs()
          const ahead = new Set(offsetsOf(runs))
          for (const offset of model.delivered)
            expect(ahead.has(offset) || offset < ledger.nextOffset).toBe(model.done.has(offset))
          for (const offset of model.prior)
            if (model.isKnownDone(offset)) expect(offset < position || ahead.has(offset)).toBe(true)
          expect(ledger.doneAheadBytesBound).toBeGreaterThanOrEqual(
            ledger.doneAhead(Number.POSITIVE_INFINITY)?.length ?? 0,
          )
          const cut = ledger.doneAhead(space)
          expect(cut?.length ?? 0).toBeLessThanOrEqual(space)
          for (const offset of offsetsOf(cut === null ? [] : (decodeDoneSet(position, cut) as Runs)))
            expect(ahead.has(offset)).toBe(true)
          if (ledger.doneAheadBytesBound <= space)
            expect(cut === null ? [] : offsetsOf(decodeDoneSet(position, cut) as Runs)).toEqual(offsetsOf(runs))
        }
      }),
      { numRuns: 400 },
    )
  })

  test('keeps its books when more is open than its ring first held', () => {
    const ledger = new Ledger(0)
    for (let offset = 0; offset < 5000; offset += 1) ledger.deliver(offset * 2, offset)
    for (let sequence = 4999; sequence > 0; sequence -= 1) ledger.complete(sequence)
    expect(ledger.nextOffset).toBe(0)
    expect(ledger.runs()).toEqual([2, 9999])
    ledger.complete(0)
    expect(ledger.nextOffset).toBe(9999)
    expect(ledger.span).toBe(0)
    expect(ledger.runs()).toEqual([])
  })

  test('the bound of the encoded size is never below the size', () => {
    fc.assert(
      fc.property(PRIOR, (prior) => {
        const end = prior.at(-1) ?? 100
        const size = new Ledger(100, prior).doneAhead(Number.POSITIVE_INFINITY)?.length ?? 0
        expect(doneSetBytesBound(prior.length / 2, end - 100)).toBeGreaterThanOrEqual(size)
      }),
    )
  })
})
