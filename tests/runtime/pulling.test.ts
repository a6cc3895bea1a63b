/** A source whose pull comes back only with records or when it is ended: nothing may have to wait for its time-out. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type PullRequest, pipeline, type Source, type SourceContext, type SourceRecord } from 'headgate'
import { memory } from 'headgate/memory'
import { expect, it } from 'vitest'
import { NO_HEADERS } from '../../src/model/record.ts'

const RECORDS = 40

/** Two partitions: `busy` has records, `quiet` never has any. */
class OneSided implements Source<number> {
  readonly name = 'one-sided'
  readonly capabilities = { backlog: 'none', metadataBytes: 4096, replayable: true } as const
  pulls = 0
  #next = 0

  async open({ onAssigned }: SourceContext): Promise<void> {
    onAssigned(['busy', 'quiet'].map((partition) => ({ partition, epoch: 1, nextOffset: 0, doneAhead: null })))
  }

  async pull({ credit, paused, signal }: PullRequest) {
    this.pulls += 1
    if (this.#next === RECORDS) return { batches: [], ended: true }
    if (paused.has('busy')) {
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
      return { batches: [], ended: false }
    }
    const records: SourceRecord[] = []
    for (; records.length < credit.records && this.#next < RECORDS; this.#next += 1) {
      const value = this.#next
      records.push({
        key: null,
        partition: 'busy',
        offset: value,
        timestampMs: 0,
        headers: NO_HEADERS,
        bytes: 8,
        value,
      })
    }
    return { batches: [{ partition: 'busy', epoch: 1, records }], ended: false }
  }

  held = () => ({ records: 0, bytes: 0 })
  commit = async (): Promise<void> => {}
  backlog = async () => []
  quiesce = async (): Promise<void> => {}
  close = async (): Promise<void> => {}
}

it('ends a pull that left out a partition as soon as that one may flow again', async () => {
  const source = new OneSided()
  const sink = memory.sink<number>()
  await pipeline('p', { admission: { uncommittedRecords: 4 }, commit: { intervalMs: 1 } })
    .from(source)
    .call('work', async (value) => {
      await sleep(1)
      return value
    })
    .to(sink)
    .run()
  expect(sink.values).toHaveLength(RECORDS)
  expect(source.pulls).toBeGreaterThan(RECORDS / 4)
})

/** Its broker gives out records by the thousand, whatever is asked for; `held` is what no pull has taken yet. */
class Undivided implements Source<number> {
  readonly name = 'undivided'
  readonly capabilities = { backlog: 'none', metadataBytes: 4096, replayable: true } as const
  readonly #thousands: number
  #taken = 0
  #fetched = 0

  constructor(thousands: number) {
    this.#thousands = thousands
  }

  async open({ onAssigned }: SourceContext): Promise<void> {
    onAssigned([{ partition: 'p', epoch: 1, nextOffset: 0, doneAhead: null }])
  }

  async pull({ credit }: PullRequest) {
    if (this.#taken === this.#thousands * 1_000) return { batches: [], ended: true }
    if (this.#fetched === this.#taken) this.#fetched += 1_000
    const records = Array.from(
      { length: Math.min(credit.records, this.#fetched - this.#taken, Math.floor(credit.bytes / 8)) },
      (_, index): SourceRecord => ({
        ...{ key: null, partition: 'p', offset: this.#taken + index, timestampMs: 0, headers: NO_HEADERS },
        ...{ bytes: 8, value: this.#taken + index },
      }),
    )
    this.#taken += records.length
    return { batches: records.length > 0 ? [{ partition: 'p', epoch: 1, records }] : [], ended: false }
  }

  held = () => ({ records: this.#fetched - this.#taken, bytes: 8 * (this.#fetched - this.#taken) })
  commit = async (): Promise<void> => {}
  backlog = async () => []
  quiesce = async (): Promise<void> => {}
  close = async (): Promise<void> => {}
}

it.each([
  ['records', { records: 50 }],
  ['bytes', { bytes: 1_024, maxRecordBytes: 16 }],
])('pulls what a client holds although that alone is more %s than the budget', async (_, admission) => {
  const sink = memory.sink<number>({ keep: false })
  await pipeline('p', { admission }).from(new Undivided(3)).to(sink).run()
  expect(sink.count).toBe(3_000)
})
