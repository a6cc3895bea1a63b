import { hostname } from 'node:os'
import { type Log, source } from 'headgate/log'
import { describe, expect, it, vi } from 'vitest'
import { type Owner, setOwner } from '../../../src/connectors/log/ownership.ts'
import { afterThis, freshLog, never, opened, refusal, text } from './fresh-log.ts'

const open = (log: Log, group = 'g', from?: 'latest') =>
  opened(source({ log, topic: 't', group, ...(from && { from }) }))
const at = (partition: string, epoch: number, nextOffset: number, doneAhead: Uint8Array | null = null) => ({
  partition,
  epoch,
  nextOffset,
  doneAhead,
})

async function filled(records = 10, partitions = 1): Promise<Log> {
  const log = await freshLog(partitions)
  for (let partition = 0; partition < partitions; partition += 1) {
    await log.append(
      't',
      Array.from({ length: records }, (_, value) => ({ value: `${value}`, partition })),
    )
  }
  return log
}

/** Writes an owner as another process would have. */
function own(log: Log, owner: Owner): Promise<void> {
  const { store } = log.shared
  return store.writer.write(() => setOwner(store, 'g', 't', owner))
}

const stranger = (epoch: number, rest: Partial<Owner> = {}): Owner => ({
  ownerId: 'stranger',
  epoch,
  pid: process.ppid,
  hostname: hostname(),
  heartbeatAtMs: Date.now(),
  ...rest,
})

describe('the owner of a group', () => {
  it('is one at a time; the other is told who it is and what to do', async () => {
    const log = await filled()
    await open(log)
    const error = await refusal(open(log))
    expect(error.code).toBe('HG_FENCED')
    expect(error.message).toMatch(
      new RegExp(`group 'g' on topic 't' is being consumed by pid ${process.pid} .*: stop it, or use another group`),
    )
    await expect(open(log, 'other')).resolves.toBeDefined()
  })

  it('gives it up on close, and the next one has a later epoch', async () => {
    const log = await filled()
    const first = await open(log)
    expect(log.groups()[0]?.owner).toMatchObject({ pid: process.pid, hostname: hostname() })
    await first.source.close(never)
    expect(log.groups()[0]?.owner).toBeNull()
    const second = await open(log)
    expect(second.epoch()).toBeGreaterThan(first.epoch())
  })

  it('loses it when its process is gone, or when its lease ran out', async () => {
    const log = await filled()
    const gone: Partial<Owner>[] = [
      { pid: 2 ** 22 + 1 },
      { heartbeatAtMs: Date.now() - 11_000 },
      { hostname: 'far', heartbeatAtMs: 0 },
    ]
    for (const [index, rest] of gone.entries()) {
      await own(log, stranger(100 * (index + 1), rest))
      const reader = await open(log)
      expect(reader.epoch()).toBe(100 * (index + 1) + 1)
      await reader.source.close(never)
    }
  })

  it('keeps it while its process lives, also on a host that cannot be asked', async () => {
    const log = await filled()
    for (const rest of [{}, { hostname: 'far', pid: 2 ** 22 + 1 }]) {
      await own(log, stranger(5, rest))
      expect((await refusal(open(log))).code).toBe('HG_FENCED')
    }
  })

  it('renews its lease without being pulled', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] })
    afterThis(() => vi.useRealTimers())
    const log = await filled()
    const reader = await open(log)
    for (let beat = 0; beat < 8; beat += 1) {
      vi.advanceTimersByTime(2_000)
      await log.append('t', [{ value: 'x' }]) // the heartbeat's write is before this one
    }
    expect(log.groups()[0]?.owner?.heartbeatAtMs).toBe(Date.now())
    expect(reader.lost).toEqual([])
  })
})

describe('fencing', () => {
  it('refuses the commits and pulls of an owner that was replaced, and tells it', async () => {
    const log = await filled()
    const reader = await open(log)
    await reader.records({ credit: { records: 5, bytes: 1e6 } })
    await own(log, stranger(reader.epoch() + 1))
    expect((await refusal(reader.source.commit([at('t/0', reader.epoch(), 5)]))).code).toBe('HG_FENCED')
    const error = await refusal(reader.pull())
    expect(error.code).toBe('HG_FENCED')
    expect(error.message).toMatch(new RegExp(`pid ${process.ppid} on .* took it over`))
    expect(reader.lost).toEqual([['t/0']])
    expect(log.groups()[0]?.partitions[0]?.nextOffset).toBe(0)
  })

  it('ends a pull that waits', async () => {
    const log = await filled(0)
    const reader = await open(log)
    const pull = refusal(reader.pull({ waitMs: 60_000 }))
    await own(log, stranger(reader.epoch() + 1))
    expect((await pull).code).toBe('HG_FENCED')
    expect(reader.lost).toHaveLength(1)
  })

  it('is noticed by the heartbeat of a source that is not pulled', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    afterThis(() => vi.useRealTimers())
    const log = await filled()
    const reader = await open(log)
    await own(log, stranger(reader.epoch() + 1))
    vi.advanceTimersByTime(2_000)
    await log.append('t', [{ value: 'x' }])
    await vi.waitFor(() => expect(reader.lost).toEqual([['t/0']]), { timeout: 30_000 })
  })

  it('refuses a stale epoch, an unknown partition and an offset beyond the end, and stores none of the commit', async () => {
    const log = await filled(10, 2)
    const reader = await open(log)
    await reader.records()
    const good = at('t/0', reader.epoch(), 4)
    const bad = [
      [at('t/1', reader.epoch() - 1, 4), 'HG_FENCED'],
      [at('t/9', reader.epoch(), 4), 'HG_COMMIT_FAILED'],
      [at('t/1', reader.epoch(), 11), 'HG_COMMIT_FAILED'],
    ] as const
    for (const [position, code] of bad) {
      expect((await refusal(reader.source.commit([good, position]))).code).toBe(code)
      expect(log.groups()[0]?.partitions.map(({ nextOffset }) => nextOffset)).toEqual([0, 0])
    }
    await reader.source.close(never)
    expect((await refusal(reader.source.commit([good]))).code).toBe('HG_FENCED')
  })
})

describe('progress', () => {
  it('is stored for all partitions of a commit together, and comes back with doneAhead', async () => {
    const log = await filled(10, 2)
    const first = await open(log)
    await first.records()
    const doneAhead = Uint8Array.of(0, 1, 255)
    await first.source.commit([at('t/0', first.epoch(), 3, doneAhead), at('t/1', first.epoch(), 10)])
    await first.source.close(never)
    const second = await open(log)
    expect(second.assigned[0]).toEqual([
      { partition: 't/0', epoch: second.epoch(), nextOffset: 3, doneAhead: Buffer.from(doneAhead) },
      { partition: 't/1', epoch: second.epoch(), nextOffset: 10, doneAhead: null },
    ])
    expect((await second.records()).map(text)).toEqual(['3', '4', '5', '6', '7', '8', '9'])
  })

  it('never moves backward: the commit fails and what was stored stays', async () => {
    const log = await filled()
    const reader = await open(log)
    await reader.records()
    await reader.source.commit([at('t/0', reader.epoch(), 8)])
    await reader.source.commit([at('t/0', reader.epoch(), 8)])
    const error = await refusal(reader.source.commit([at('t/0', reader.epoch(), 7)]))
    expect(error.code).toBe('HG_COMMIT_FAILED')
    expect(error.message).toMatch(/t\/0: group 'g' is at offset 8 and a commit never moves it back to 7/)
    expect(log.groups()[0]?.partitions[0]?.nextOffset).toBe(8)
  })

  it('starts at the end for a group that asked for it, also if it never committed', async () => {
    const log = await filled(3)
    const first = await open(log, 'tail', 'latest')
    expect(await first.records()).toEqual([])
    await first.source.close(never)
    await log.append('t', [{ value: 'while away' }])
    const second = await open(log, 'tail', 'latest')
    expect((await second.records()).map(text)).toEqual(['while away'])
  })

  it('is moved on, with a warning, when its records were trimmed', async () => {
    const log = await filled()
    const first = await open(log)
    await first.source.commit([at('t/0', first.epoch(), 2, Uint8Array.of(1))])
    await first.source.close(never)
    await log.trim('t', { beforeOffset: 5 })
    const second = await open(log)
    expect(second.assigned[0]).toMatchObject([{ nextOffset: 5, doneAhead: null }])
    expect(second.warnings).toEqual(["t/0: 3 records were trimmed before group 'g' had read them"])
  })

  it('shows its lag in records and in time', async () => {
    const log = await freshLog(2)
    await log.append(
      't',
      [1, 2, 3].map((each) => ({ value: each, partition: 0, timestampMs: each * 100 })),
    )
    const reader = await open(log)
    await reader.source.commit([at('t/0', reader.epoch(), 1)])
    expect(log.groups()).toMatchObject([
      {
        group: 'g',
        topic: 't',
        lag: 2,
        oldestTimestampMs: 200,
        partitions: [
          { nextOffset: 1, lag: 2 },
          { nextOffset: 0, lag: 0 },
        ],
      },
    ])
    await log.trim('t', { beforeOffset: 2 })
    expect(log.groups()[0]).toMatchObject({ lag: 1, oldestTimestampMs: 300 })
  })
})

describe("an operator's seek", () => {
  it('rewinds a group that is running: it loses its partitions and gets them again in a later epoch', async () => {
    const log = await filled(6)
    const reader = await open(log)
    await reader.records()
    const before = reader.epoch()
    await reader.source.commit([at('t/0', before, 6)])
    await log.seek('g', 't', 2)
    expect((await refusal(reader.source.commit([at('t/0', before, 6)]))).code).toBe('HG_FENCED')
    expect((await reader.records()).map(text)).toEqual(['2', '3', '4', '5'])
    expect(reader.lost).toEqual([['t/0']])
    expect(reader.epoch()).toBeGreaterThan(before)
    expect((await refusal(reader.source.commit([at('t/0', before, 6)]))).code).toBe('HG_FENCED')
    await reader.source.commit([at('t/0', reader.epoch(), 3)])
    expect(log.groups()[0]?.partitions[0]?.nextOffset).toBe(3)
  })

  it('wakes a pull that waits', async () => {
    const log = await filled(3)
    const reader = await open(log, 'g', 'latest')
    const pull = reader.records({ waitMs: 60_000 })
    await log.seek('g', 't', 'earliest')
    expect((await pull).map(text)).toEqual(['0', '1', '2'])
  })

  it('moves one partition or all, to either end or an offset within it, also of a new group', async () => {
    const log = await filled(6, 2)
    const places = (): number[] => log.groups()[0]!.partitions.map(({ nextOffset }) => nextOffset)
    await log.seek('g', 't', 'latest')
    expect(places()).toEqual([6, 6])
    await log.seek('g', 't', 4, { partition: 1 })
    expect(places()).toEqual([6, 4])
    await log.seek('g', 't', 'earliest')
    expect(places()).toEqual([0, 0])
    await log.seek('g', 't', 99)
    expect(places()).toEqual([6, 6])
    await log.trim('t', { beforeOffset: 3 })
    await log.seek('g', 't', 0)
    expect(places()).toEqual([3, 3])
    expect((await refusal(log.seek('g', 't', 0, { partition: 2 }))).message).toContain('partitions 0 to 1')
  })
})
