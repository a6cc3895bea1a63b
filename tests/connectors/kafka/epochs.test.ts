/** What a partition knows of the leaders it was written under, against logs whose common part is known. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MAGIC_AT } from '../../../src/connectors/kafka/batch/layout.ts'
import { LeaderEpochs } from '../../../src/connectors/kafka/epochs.ts'
import { type Log, leaderEnd, stampedBatch } from './leader-log.ts'

function read(log: Log): LeaderEpochs {
  const epochs = new LeaderEpochs()
  for (const [offset, epoch] of log.entries()) epochs.note(epoch, offset)
  return epochs
}

/** What a leader with this log answers to a fetch, as Kafka's does: null where it agrees. */
function answer(log: Log, lastEpoch: number, offset: number): { epoch: number; endOffset: number } | null {
  const end = leaderEnd(log, lastEpoch)
  return end.epoch < lastEpoch || end.endOffset < offset ? end : null
}

describe('the epochs of what was read', () => {
  it('find what two logs have in common, however many elections lost something', () => {
    /** Rising epochs above those of the common part, each of which only one of the two logs has. */
    const suffixes = fc.array(
      fc.record({ mine: fc.boolean(), records: fc.integer({ min: 1, max: 4 }), step: fc.integer({ min: 1, max: 2 }) }),
      { maxLength: 6 },
    )
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }),
        suffixes,
        fc.option(fc.boolean()),
        fc.integer({ min: 1, max: 4 }),
        (prefix, later, whoWroteOn, more) => {
          const common = prefix.flatMap((records, epoch) => new Array<number>(records).fill(epoch))
          const mine = [...common]
          const theirs = [...common]
          let epoch = prefix.length - 1
          // One of them may have more records of the last epoch that they share.
          if (whoWroteOn !== null) (whoWroteOn ? mine : theirs).push(...new Array<number>(more).fill(epoch))
          for (const { mine: isMine, records, step } of later) {
            epoch += step
            ;(isMine ? mine : theirs).push(...new Array<number>(records).fill(epoch))
          }
          const epochs = read(mine)
          let position = mine.length
          for (;;) {
            const parted = answer(theirs, epochs.last, position)
            if (parted === null) break
            const next = epochs.agreement(parted.epoch, parted.endOffset)
            expect(next).toBeLessThan(position)
            expect(next).toBeGreaterThanOrEqual(common.length)
            position = next
            epochs.cut(position)
          }
          expect(position).toBe(Math.min(mine.length, common.length))
        },
      ),
    )
  })

  it('come from the heads of whole batches, from where the fetch began', () => {
    const epochs = new LeaderEpochs()
    const bytes = Buffer.concat([
      stampedBatch(0, 5, 1),
      stampedBatch(5, 5, 1),
      stampedBatch(10, 5, 4),
      stampedBatch(15, 5, 6),
    ])
    epochs.noteBatches(bytes.subarray(0, bytes.length - 1), 3)
    expect([epochs.last, epochs.at(2), epochs.at(3), epochs.at(9), epochs.at(10)]).toEqual([4, -1, 1, 1, 4])
  })

  it('are unknown behind a batch that tells none, rather than too old', () => {
    const epochs = new LeaderEpochs()
    const old = stampedBatch(5, 5, 3)
    old[MAGIC_AT] = 1
    epochs.noteBatches(Buffer.concat([stampedBatch(0, 5, 3), old]), 0)
    expect(epochs.last).toBe(-1)
    epochs.noteBatches(stampedBatch(10, 5, 3), 10)
    expect([epochs.last, epochs.at(10), epochs.at(9)]).toEqual([3, 3, -1])
  })

  it('are kept no further back than somebody asks', () => {
    const epochs = read([0, 0, 1, 1, 2, 2])
    epochs.forget(3)
    expect([epochs.at(1), epochs.at(3), epochs.at(5)]).toEqual([-1, 1, 2])
  })

  it('end at no bytes at all, whatever the bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const epochs = new LeaderEpochs()
        epochs.noteBatches(Buffer.from(bytes), 0)
        expect(epochs.last).toBeGreaterThanOrEqual(-1)
      }),
    )
  })
})
