/** Since when a partition has something that is not committed, against a model that keeps every record. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Span } from '../../src/engine/ledger.ts'
import type { Covered } from '../../src/engine/partition.ts'
import { type Committing, committingOf, proposalOf } from '../../src/engine/proposal.ts'
import { newPartition } from './items.ts'

const METADATA_BYTES = 4096

const STEP = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('deliver' as const), records: fc.integer({ min: 1, max: 5 }) }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('complete' as const), which: fc.nat() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('commit' as const), transacted: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('settle' as const), succeeds: fc.boolean() }) },
)

/** Stamps are in the order of the offsets, so that the oldest record is the first one. */
const stampOf = (offset: number): number => 1_000 + 10 * offset

test('the oldest uncommitted record is the one at which the last commit that succeeded stands, or the next delivered', () => {
  fc.assert(
    fc.property(fc.array(STEP, { maxLength: 80 }), (steps) => {
      const partition = newPartition()
      const { ledger } = partition
      const open: { offset: number; span: Span; row: number }[] = []
      const done = new Set<number>()
      let [delivered, committed] = [0, 0]
      let under: { readonly covered: Covered; readonly to: number } | null = null
      for (const step of steps) {
        if (step.kind === 'deliver') {
          const offsets = Array.from({ length: step.records }, (_, row) => delivered + row)
          const span = partition.deliver(Float64Array.from(offsets), Float64Array.from(offsets, stampOf))
          for (const [row, offset] of offsets.entries()) open.push({ offset, span, row })
          delivered += step.records
        } else if (step.kind === 'complete' && open.length > 0) {
          const [{ offset, span, row }] = open.splice(step.which % open.length, 1) as [(typeof open)[0]]
          ledger.complete(span, row)
          done.add(offset)
        } else if (step.kind === 'commit' && under === null && partition.dirty) {
          let covered: Committing | undefined
          if (step.transacted) covered = proposalOf([partition], METADATA_BYTES)?.committing[0]
          else covered = committingOf(partition, METADATA_BYTES)
          let to = committed
          while (done.has(to)) to += 1
          under = { covered: covered as Committing, to }
        } else if (step.kind === 'settle' && under !== null) {
          if (step.succeeds) {
            partition.committed(under.covered)
            committed = under.to
          }
          under = null
        }
        expect(partition.oldestUncommittedMs).toBe(committed < delivered ? stampOf(committed) : null)
        expect(partition.status().oldestUncommittedMs).toBe(partition.oldestUncommittedMs)
      }
    }),
    { numRuns: 400 },
  )
})

test('records that a transaction is about to complete count as uncommitted until it has ended', () => {
  const partition = newPartition()
  const span = partition.deliver(Float64Array.of(0, 1, 2), Float64Array.of(70, 80, 90))
  for (const row of [0, 1]) partition.ledger.propose(span, row)
  const [covered] = proposalOf([partition], METADATA_BYTES)!.committing
  partition.deliver(Float64Array.of(3), Float64Array.of(100))
  expect(partition.oldestUncommittedMs).toBe(70)
  for (const row of [0, 1]) {
    partition.ledger.withdraw(span, row)
    partition.ledger.complete(span, row)
  }
  partition.committed(covered!)
  expect(partition.oldestUncommittedMs).toBe(90)
})
