/**
 * The ledger against a naive set: random deliveries with gaps, completions in any order, progress from earlier
 * assignments. The model knows nothing of sequences, rings or runs.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeDoneSet, doneSetBytesBound, type Runs } from '../../src/engine/done-set.ts'
import { Ledger, type Span } from '../../src/engine/ledger.ts'
import { runs } from '../fixtures/long.ts'

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

const GAP = fc.integer({ min: 0, max: 4 })
const STEP = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('deliver' as const),
      gaps: fc.array(GAP, { minLength: 1, maxLength: 6 }),
    }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('complete' as const), which: fc.nat(), alone: fc.boolean() }) },
)

const timeOf = (offset: number): number => 1000 + offset

describe('the ledger', () => {
  test('promise 2: agrees with a naive set over any deliveries, gaps, completions and earlier progress', () => {
    fc.assert(
      fc.property(PRIOR, fc.array(STEP, { maxLength: 120 }), fc.integer({ min: 7, max: 60 }), (prior, steps, space) => {
        const ledger = new Ledger(100, prior)
        const model = new NaiveLedger(100, prior)
        const open: { offset: number; span: Span; row: number }[] = []
        let next = 100
        let position = 100
        for (const step of steps) {
          if (step.kind === 'deliver') {
            const offsets = step.gaps.map((gap) => {
              const offset = next + (gap === 4 ? 7 : gap === 3 ? 1 : 0)
              next = offset + 1
              return offset
            })
            const span = ledger.deliver(Float64Array.from(offsets), Float64Array.from(offsets, timeOf))
            for (const [row, offset] of offsets.entries()) {
              const wasDone = ledger.wasDone(offset)
              expect(wasDone).toBe(model.prior.has(offset))
              model.delivered.push(offset)
              if (wasDone) {
                ledger.complete(span, row)
                model.done.add(offset)
              } else open.push({ offset, span, row })
            }
          } else if (open.length > 0) {
            const [{ offset, span, row }] = open.splice(step.which % open.length, 1) as [(typeof open)[0]]
            expect(step.alone ? ledger.complete(span, row) : ledger.completeAll(span, [row])).toBe(true)
            expect(ledger.complete(span, row), 'a second completion').toBe(false)
            expect(ledger.completeAll(span, [row]), 'a second completion').toBe(false)
            model.done.add(offset)
          }
          expect(ledger.nextOffset).toBe(model.nextOffset)
          expect(ledger.nextOffset, 'a position never moves back').toBeGreaterThanOrEqual(position)
          position = ledger.nextOffset
          expect(ledger.completed).toBe(model.done.size)
          expect(ledger.delivered).toBe(model.delivered.length)
          expect(ledger.oldestOpenMs).toBe(open.length === 0 ? null : timeOf(Math.min(...open.map((o) => o.offset))))
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
      { numRuns: runs(400) },
    )
  })

  test('what is done behind a stuck record is one span, whatever the pulls and the order of completion', () => {
    const ledger = new Ledger(0)
    const spans = Array.from({ length: 5000 }, (_, at) => ledger.deliver(Float64Array.of(at * 2), Float64Array.of(at)))
    const rest = spans.slice(1)
    for (const span of [...rest.filter((_, at) => at % 2 === 0), ...rest.filter((_, at) => at % 2 === 1).reverse()])
      ledger.complete(span, 0)
    expect(ledger.nextOffset).toBe(0)
    expect(ledger.below).toBe(0)
    expect(ledger.runs()).toEqual([2, 9999])
    expect(ledger.doneAheadBytesBound).toBe(doneSetBytesBound(1, 9999))
    ledger.complete(spans[0] as Span, 0)
    expect(ledger.nextOffset).toBe(9999)
    expect(ledger.below).toBe(5000)
    expect(ledger.runs()).toEqual([])
    expect(ledger.doneAheadBytesBound).toBe(0)
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
