/** Dead letters as the commands read them: the log's stored form, the filters, and the order of partitions. */
import { describe, expect, test } from 'vitest'
import { type FilterOptions, matches, moment } from '../../src/cli/dead-letter/filter.ts'
import { type Letter, topicOf } from '../../src/cli/dead-letter/letter.ts'
import { letterOfLog } from '../../src/cli/dead-letter/log-letter.ts'
import { type DeadLetterStore, letters, type StoredLetter } from '../../src/cli/dead-letter/store.ts'
import { LogRecord } from '../../src/connectors/log/batch.ts'
import { deadLetterEncoder } from '../../src/connectors/log/index.ts'
import type { DeadLetter } from '../../src/model/connector.ts'
import { NO_HEADERS } from '../../src/model/record.ts'

const HOUR_MS = 3_600_000

function dead(value: unknown, headers = {}): DeadLetter {
  return {
    ...{ value, reason: { code: 'HG_TIMEOUT', message: 'took too long' }, stage: 'fraud', attempts: 5 },
    failedAtMs: 1_000,
    origin: {
      ...{ source: 'payments', key: 'account-7', partition: 'payments/3', offset: 991, timestampMs: 900 },
      ...{ headers, bytes: 100 },
    },
  }
}

function stored(text: string): LogRecord {
  return new LogRecord('k', 'payments.dead/0', 12, 2_000, NO_HEADERS, text.length, Buffer.from(text))
}

const asStored = (letter: DeadLetter): Letter => letterOfLog(stored(deadLetterEncoder(letter).value))

describe('a dead letter of the log', () => {
  test.each([
    ['text', Buffer.from('{"id":1}')],
    ['bytes that are no text', Buffer.from([0xff, 0x00, 0xfe])],
    ['nothing', Buffer.alloc(0)],
    ['text with a byte order mark', Buffer.from('\ufeff{}')],
  ])('gives back %s as it was', (_, value) => {
    const { payload } = asStored(dead(value))
    expect(payload.kind === 'bytes' && Buffer.from(payload.value as Uint8Array)).toEqual(value)
  })

  test('tells where it was, why it failed and where it came from', () => {
    const trace = Buffer.from([0xff, 1])
    expect(asStored(dead(Buffer.from('x'), { trace, tenant: 'a' }))).toMatchObject({
      ...{ place: 'payments.dead/0@12', key: 'account-7', stage: 'fraud', attempts: 5, failedAtMs: 1_000 },
      ...{ reason: { code: 'HG_TIMEOUT', message: 'took too long' }, headers: { tenant: 'a', trace } },
      origin: { partition: 'payments/3', offset: 991 },
    })
  })

  test('says when its payload cannot be sent again', () => {
    const cyclic: Record<string, unknown> = {}
    cyclic['self'] = cyclic
    expect(asStored(dead(cyclic)).payload.kind).toBe('lost')
    expect(letterOfLog(stored('{"id":1}'))).toMatchObject({
      origin: null,
      payload: { kind: 'lost', shown: '{"id":1}' },
    })
    expect(letterOfLog(stored('not JSON')).payload.kind).toBe('lost')
  })
})

describe('filters', () => {
  const letter = asStored(dead(Buffer.from('x')))
  test.each<[FilterOptions, boolean]>([
    [{}, true],
    [{ stage: 'fraud', code: 'hg_timeout', key: 'account-7', since: 1_000, until: 1_001 }, true],
    [{ stage: 'other' }, false],
    [{ code: 'HG_OVERLOADED' }, false],
    [{ key: 'account-8' }, false],
    [{ since: 1_001 }, false],
    [{ until: 1_000 }, false],
  ])('%j', (filter, through) => {
    expect(matches(letter, filter)).toBe(through)
  })

  test('take times that are past and times of the calendar', () => {
    expect(moment('2h', 10 * HOUR_MS)).toBe(8 * HOUR_MS)
    expect(moment('2026-01-31T10:00:00Z')).toBe(Date.UTC(2026, 0, 31, 10))
    expect(() => moment('yesterday')).toThrow("'yesterday' is not a time: use 2h")
    expect(() => moment('12')).toThrow('is not a time')
  })

  test('know the topic of a partition', () => {
    expect(topicOf('payments/3')).toBe('payments')
    expect(topicOf('eu/payments/3')).toBe('eu/payments')
    expect(topicOf('stdin')).toBe(null)
  })
})

/** Partitions of letters, given by their timestamps; three a chunk. */
function storeOf(partitions: readonly (readonly number[])[], endOffsets?: readonly number[]): DeadLetterStore {
  const chunkOf = (partition: number, from: number): StoredLetter[] =>
    (partitions[partition] as readonly number[]).slice(from, from + 3).map((timestampMs, index) => ({
      letter: { ...asStored(dead('x')), place: `dead/${partition}@${from + index}` },
      timestampMs,
    }))
  return {
    topic: 'dead',
    ranges: () =>
      Promise.resolve(
        partitions.map((all, partition) => ({
          ...{ partition, firstOffset: 0 },
          endOffset: endOffsets?.[partition] ?? all.length,
        })),
      ),
    read: (partition, from) => {
      const chunk = chunkOf(partition, from)
      return Promise.resolve({ letters: chunk, nextOffset: from + chunk.length })
    },
    checkTarget: () => Promise.resolve(),
    send: () => Promise.resolve(),
    close: () => Promise.resolve(),
  }
}

async function placesIn(store: DeadLetterStore, filter: FilterOptions = {}): Promise<string[]> {
  const places: string[] = []
  for await (const { place } of letters(store, filter)) places.push(place)
  return places
}

describe('the run through a topic', () => {
  test('is by time over partitions, and by place within one', async () => {
    const store = storeOf([[5, 1, 9, 10], [], [2, 3, 6, 7, 8]])
    const places = await placesIn(store)
    expect(places).toHaveLength(9)
    for (const partition of [0, 2]) {
      const own = places.filter((place) => place.startsWith(`dead/${partition}@`))
      expect(own).toEqual(own.map((_, offset) => `dead/${partition}@${offset}`))
    }
    expect(places.indexOf('dead/2@1')).toBeLessThan(places.indexOf('dead/0@0'))
    expect(places.at(-1)).toBe('dead/0@3')
  })

  test('ends where the topic ended when it began', async () => {
    expect(await placesIn(storeOf([[1, 2, 3, 4, 5]], [2]))).toEqual(['dead/0@0', 'dead/0@1'])
  })

  test('ends at its limit, without counting what the filter holds back', async () => {
    expect(await placesIn(storeOf([[1, 2, 3, 4, 5]]), { limit: 4 })).toHaveLength(4)
    expect(await placesIn(storeOf([[1, 2, 3]]), { limit: 1, stage: 'other' })).toEqual([])
  })
})
