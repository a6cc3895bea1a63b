import { setTimeout as sleep } from 'node:timers/promises'
import { type Log, openLog, source } from 'headgate/log'
import { describe, expect, it } from 'vitest'
import { start } from './child.ts'
import { afterThis, freshDirectory, freshLog, opened, refusal, text } from './fresh-log.ts'

interface Stored {
  readonly name: string
  readonly number: number
  readonly part: number
}

function everything(log: Log): { values: Stored[]; offsets: number[][] } {
  const values: Stored[] = []
  const offsets = log.topics()[0]!.partitions.map(({ partition, firstOffset }) => {
    const seen: number[] = []
    for (let at = firstOffset; ; ) {
      const { records, nextOffset } = log.read('t', partition, at)
      if (records.length === 0) return seen
      for (const record of records) {
        seen.push(record.offset)
        values.push(JSON.parse(text(record)) as Stored)
      }
      at = nextOffset
    }
  })
  return { values, offsets }
}

const upTo = (end: number): number[] => Array.from({ length: end }, (_, at) => at)

describe('two processes', () => {
  it('append to one topic at once: no offset is given out twice, and each reads what the other wrote', async () => {
    const directory = freshDirectory()
    const log = await freshLog(3, directory)
    const child = start('appender', [directory, 'child', 200, 100])
    await child.said('ready')
    for (let number = 0; number < 200; number += 1) {
      await log.append('t', [{ key: `${number % 7}`, value: { name: 'parent', number, part: 0 } }])
    }
    await child.said('done')
    const { values, offsets } = everything(log)
    expect(values).toHaveLength(200 + 600)
    expect(offsets).toEqual(offsets.map(({ length }) => upTo(length)))
    for (const { acked, partition, offset } of child.lines.filter((line) => 'acked' in line)) {
      const { records } = log.read('t', partition as number, offset as number, { maxRecords: 1 })
      expect(JSON.parse(text(records[0]!))).toMatchObject({ name: 'child', number: acked, part: 0 })
    }
  })

  it('wake each other: a source that waits hears of an append by another process', async () => {
    const directory = freshDirectory()
    const log = await freshLog(3, directory)
    const reader = await opened(source({ log, topic: 't', group: 'g' }))
    const pull = reader.records({ waitMs: 60_000 })
    start('appender', [directory, 'child', 1, 1])
    expect((await pull).length).toBeGreaterThan(0)
  })

  it('see a topic that the other created, and a file that the other made grow', async () => {
    const directory = freshDirectory()
    const log = await openLog(directory)
    afterThis(() => log.close())
    expect(log.topics()).toEqual([])
    const helper = await freshLog(2, directory)
    await helper.append('t', [{ value: '{}' }])
    const child = start('appender', [directory, 'child', 400, 40_000])
    await child.said('done')
    expect(everything(log).values).toHaveLength(1 + 1_200)
    await log.append('t', [{ value: '{"after":1}' }])
    expect(everything(log).values).toHaveLength(1 + 1_200 + 1)
  })
})

describe('Promise 18: kill -9 of an appender', () => {
  it('at random moments loses nothing that was acknowledged, and leaves a valid prefix', async () => {
    const directory = freshDirectory()
    await (await freshLog(3, directory)).close()
    const acked = new Set<string>()
    for (let round = 0; round < 6; round += 1) {
      const child = start('appender', [directory, `r${round}`, 1e9, 500])
      await child.said('acked')
      await sleep(Math.random() * 150)
      child.process.kill('SIGKILL')
      await child.ended
      for (const line of child.lines) if ('acked' in line) acked.add(`r${round}/${line['acked'] as number}`)
      const log = await openLog(directory)
      const { values, offsets } = everything(log)
      expect(offsets).toEqual(offsets.map(({ length }) => upTo(length)))
      const parts = new Map<string, number>()
      for (const { name, number } of values) parts.set(`${name}/${number}`, (parts.get(`${name}/${number}`) ?? 0) + 1)
      expect([...acked].filter((each) => parts.get(each) !== 3)).toEqual([])
      expect([...parts].filter(([, count]) => count !== 3)).toEqual([]) // an append is stored wholly or not at all
      await log.append('t', [
        { value: { name: 'between', number: round, part: 0 } },
        { value: { name: 'between', number: round, part: 1 } },
        { value: { name: 'between', number: round, part: 2 } },
      ])
      await log.close()
    }
    expect(acked.size).toBeGreaterThanOrEqual(6)
  })
})

describe('a consumer in another process', () => {
  it('owns its group until kill -9; then the next one goes on from its commit in a later epoch', async () => {
    const directory = freshDirectory()
    const log = await freshLog(1, directory)
    const child = start('consumer', [directory])
    const { epoch } = await child.said('assigned')
    await log.append(
      't',
      upTo(30).map((value) => ({ value })),
    )
    await child.said('committed')
    const error = await refusal(opened(source({ log, topic: 't', group: 'g' })))
    expect(error.message).toContain(`is being consumed by pid ${child.process.pid}`)
    child.process.kill('SIGKILL')
    await child.ended
    const committed = Math.max(0, ...child.lines.map((line) => Number(line['committed'] ?? 0)))
    const reader = await opened(source({ log, topic: 't', group: 'g' }))
    expect(reader.epoch()).toBeGreaterThan(epoch as number)
    expect(reader.assigned[0]?.[0]?.nextOffset).toBeGreaterThanOrEqual(committed)
  })

  it('that was stopped beyond its lease wakes up fenced: it is told, and commits nothing any more', async () => {
    const directory = freshDirectory()
    const log = await freshLog(1, directory)
    const child = start('consumer', [directory])
    await child.said('assigned')
    child.process.kill('SIGSTOP')
    const deadline = Date.now() + 60_000
    let reader: Awaited<ReturnType<typeof opened>> | null = null
    while (!reader && Date.now() < deadline) {
      reader = await opened(source({ log, topic: 't', group: 'g' })).catch(() => null)
      if (!reader) await sleep(500)
    }
    expect(reader?.epoch()).toBe(2)
    await log.append(
      't',
      upTo(5).map((value) => ({ value })),
    )
    child.process.kill('SIGCONT')
    expect(await child.said('failed')).toMatchObject({ failed: 'HG_FENCED' })
    expect(child.lines.filter((line) => 'lost' in line)).toEqual([{ lost: ['t/0'] }])
    expect(child.lines.filter((line) => 'committed' in line)).toEqual([])
    expect(await reader?.records()).toHaveLength(5)
  })
})
