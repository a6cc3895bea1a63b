import { describe, expect, it } from 'vitest'
import { contents, freshLog } from './fresh-log.ts'

const DAY = 86_400_000

describe('trimming', () => {
  it('by offset is exact, and keeps offsets as they were', async () => {
    const log = await freshLog()
    await log.append(
      't',
      ['a', 'b', 'c'].map((value) => ({ value })),
    )
    await log.append(
      't',
      ['d', 'e'].map((value) => ({ value })),
    )
    expect((await log.trim('t', { beforeOffset: 1 })).records).toBe(1)
    expect(log.read('t', 0, 0).records.map(({ offset }) => offset)).toEqual([1, 2, 3, 4])
    expect((await log.trim('t', { beforeOffset: 4 })).records).toBe(3)
    expect(contents(log)).toEqual(['e'])
    expect((await log.trim('t', { beforeOffset: 2 })).records).toBe(0)
    expect((await log.trim('t', { beforeOffset: 999 })).records).toBe(1)
    expect(log.bounds('t', 0)).toEqual({ firstOffset: 5, nextOffset: 5 })
    await log.append('t', [{ value: 'f' }])
    expect(log.read('t', 0, 0).records.map(({ offset }) => offset)).toEqual([5])
  })

  it('by age deletes batches whose every record is older', async () => {
    const log = await freshLog()
    await log.append('t', [{ value: 'old', timestampMs: 10 }])
    await log.append('t', [
      { value: 'mixed', timestampMs: 20 },
      { value: 'new', timestampMs: 200 },
    ])
    await log.trim('t', { beforeMs: 100 })
    expect(contents(log)).toEqual(['mixed', 'new'])
  })

  it('by bytes deletes the oldest, whichever partition they are in', async () => {
    const log = await freshLog(2)
    for (let at = 0; at < 10; at += 1) {
      await log.append('t', [{ value: Buffer.alloc(1_000, at), partition: at % 2, timestampMs: at }])
    }
    const { bytes } = log.topics()[0]!
    const trimmed = await log.trim('t', { bytes: bytes / 2 })
    expect(trimmed.records).toBe(5)
    expect(log.topics()[0]!.bytes).toBe(bytes - trimmed.bytes)
    expect(log.bounds('t', 0).firstOffset).toBe(3)
    expect(log.bounds('t', 1).firstOffset).toBe(2)
  })

  it('can be for one partition, and goes on over more than one transaction', async () => {
    const log = await freshLog(2)
    await Promise.all(Array.from({ length: 700 }, (_, at) => log.append('t', [{ value: `${at}`, partition: at % 2 }])))
    expect((await log.trim('t', { partition: 1, beforeOffset: 340 })).records).toBe(340)
    expect(log.bounds('t', 0).firstOffset).toBe(0)
    expect((await log.trim('t', { bytes: 0 })).records).toBe(360)
    expect(log.topics()[0]).toMatchObject({ records: 0, bytes: 0, oldestTimestampMs: null })
  })

  it('frees space that later appends use again', async () => {
    const log = await freshLog()
    const value = Buffer.alloc(100_000)
    for (let round = 0; round < 30; round += 1) {
      await log.append('t', [{ value }, { value }])
      await log.trim('t', { beforeOffset: 2 * round })
    }
    const { statSync } = await import('node:fs')
    expect(statSync(`${log.directory}/data.mdb`).size).toBeLessThan(3_000_000)
  })
})

describe('retention', () => {
  it('by bytes is applied by appends, and always leaves the newest', async () => {
    const log = await freshLog()
    await log.createTopic('t', { retention: { bytes: 1_000_000 } })
    for (let at = 0; at < 100; at += 1) await log.append('t', [{ value: Buffer.alloc(200_000, at) }])
    const { bytes, records } = log.topics()[0]!
    expect(bytes).toBeLessThan(6_000_000)
    expect(records).toBeGreaterThan(0)
    expect(log.bounds('t', 0).nextOffset).toBe(100)
    expect(log.read('t', 0, 99).records[0]?.value[0]).toBe(99)
  })

  it('by age is applied by appends', async () => {
    const log = await freshLog()
    await log.createTopic('t', { retention: { ageMs: DAY } })
    const now = Date.now()
    await log.append('t', [{ value: 'old', timestampMs: now - 2 * DAY }])
    await log.append('t', [{ value: 'kept', timestampMs: now - DAY / 2 }])
    await log.append('t', [{ value: Buffer.alloc(5_000_000), timestampMs: now }])
    await log.append('t', [{ value: 'last' }])
    expect(contents(log)[0]).toBe('kept')
  })

  it('is stored with the topic and can be changed', async () => {
    const log = await freshLog()
    expect((await log.createTopic('u', { partitions: 1, retention: { bytes: 5, ageMs: 6 } })).retention).toEqual({
      bytes: 5,
      ageMs: 6,
    })
    expect((await log.createTopic('u')).retention).toEqual({ bytes: 5, ageMs: 6 })
    expect((await log.createTopic('u', { retention: { ageMs: 7 } })).retention).toEqual({ ageMs: 7 })
  })
})
