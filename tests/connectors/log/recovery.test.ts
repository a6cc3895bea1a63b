import { type Log, sink as logSink, source as logSource, openLog } from 'headgate/log'
import { open } from 'lmdb'
import { describe, expect, it } from 'vitest'
import { afterThis, contents, freshDirectory, freshLog, listening, never, refusal, text } from './fresh-log.ts'

/** Puts other bytes under a batch's key, behind the log's back. */
async function spoil(directory: string, change: (bytes: Buffer) => Buffer, ...offsets: number[]): Promise<void> {
  const root = open({ path: directory, noSubdir: false, overlappingSync: false, maxDbs: 20 })
  const batches = root.openDB<Buffer, number>({ name: 't/0', encoding: 'binary' })
  for (const offset of offsets) {
    const bytes = batches.get(offset)
    if (!bytes) throw new Error(`there is no batch at offset ${offset}`)
    await batches.put(offset, change(Buffer.from(bytes)))
  }
  await root.close()
}

const flipBit = (bytes: Buffer): Buffer => {
  bytes[bytes.length - 1] = bytes[bytes.length - 1]! ^ 1
  return bytes
}
const cutInHalf = (bytes: Buffer): Buffer => bytes.subarray(0, bytes.length >> 1)
const cutToNothing = (): Buffer => Buffer.from('x')

/** Five batches of two records each: offsets 0 to 9. */
async function filled(): Promise<string> {
  const directory = freshDirectory()
  const log = await freshLog(1, directory)
  for (let at = 0; at < 10; at += 2) await log.append('t', [{ value: `r${at}` }, { value: `r${at + 1}` }])
  await log.close()
  return directory
}

async function reopened(directory: string): Promise<{ log: Log; warnings: string[] }> {
  const { log: logger, warnings } = listening()
  const log = await openLog(directory, { logger })
  afterThis(() => log.close())
  return { log, warnings }
}

const upTo = (end: number): string[] => Array.from({ length: end }, (_, at) => `r${at}`)

describe('Promise 18: recovery yields a valid prefix', () => {
  it.each([
    ['has a flipped bit', flipBit],
    ['is cut in half', cutInHalf],
    ['is cut to nothing', cutToNothing],
  ])('when the last batch %s', async (_, change) => {
    const directory = await filled()
    await spoil(directory, change, 8)
    const { log, warnings } = await reopened(directory)
    expect(contents(log)).toEqual(upTo(8))
    expect(warnings).toEqual([expect.stringMatching(/t\/0: the log ended with a corrupt batch at offset 8/)])
  })

  it('when several batches at the end are corrupt, or all', async () => {
    for (const offsets of [
      [4, 6, 8],
      [0, 2, 4, 6, 8],
    ]) {
      const directory = await filled()
      await spoil(directory, flipBit, ...offsets)
      const { log, warnings } = await reopened(directory)
      expect(contents(log)).toEqual(upTo(offsets[0]!))
      expect(warnings).toHaveLength(offsets.length)
    }
  })

  it('and never gives an offset out again that it cut off', async () => {
    const directory = await filled()
    await spoil(directory, flipBit, 8)
    const { log } = await reopened(directory)
    expect(await log.append('t', [{ value: 'new' }])).toEqual([{ partition: 0, firstOffset: 10, count: 1 }])
    const { records, nextOffset } = log.read('t', 0, 6)
    expect(records.map((record) => [record.offset, text(record)])).toEqual([
      [6, 'r6'],
      [7, 'r7'],
      [10, 'new'],
    ])
    expect(nextOffset).toBe(11)
    expect(log.read('t', 0, 8, { maxRecords: 1 }).records[0]?.offset).toBe(10)
  })

  it('and does not warn or cut again the next time', async () => {
    const directory = await filled()
    await spoil(directory, flipBit, 8)
    await (await reopened(directory)).log.close()
    const { log, warnings } = await reopened(directory)
    expect(contents(log)).toEqual(upTo(8))
    expect(warnings).toEqual([])
  })

  it('and tells the log of the pipeline whose source or sink opened it', async () => {
    for (const ends of ['source', 'sink'] as const) {
      const path = await filled()
      await spoil(path, flipBit, 8)
      const { log, warnings } = listening()
      const signal = never
      if (ends === 'source') {
        const source = logSource({ path, topic: 't', group: 'g' })
        await source.open({ log, onAssigned() {}, onRevoked: async () => {}, onLost() {} }, signal)
        afterThis(() => source.close(signal))
      } else {
        const sink = logSink({ path, topic: 't' })
        await sink.open({ log }, signal)
        afterThis(() => sink.close(signal))
      }
      expect(warnings, ends).toEqual([expect.stringMatching(/the log ended with a corrupt batch at offset 8/)])
    }
  })

  it('a batch of a newer version at the end is refused, not cut off', async () => {
    const directory = await filled()
    await spoil(
      directory,
      (bytes) => {
        bytes[0] = 9
        return bytes
      },
      8,
    )
    const error = await refusal(openLog(directory))
    expect(error.code).toBe('HG_STORAGE')
    expect(error.message).toMatch(/t\/0: the batch at offset 8 .* version 9: upgrade headgate/)
    expect((await refusal(openLog(directory))).message).toContain('version 9')
  })
})

describe('a corrupt batch in the middle', () => {
  it('is never skipped silently: reading names the place and the ways past it', async () => {
    const directory = await filled()
    await spoil(directory, flipBit, 4)
    const { log, warnings } = await reopened(directory)
    expect(warnings).toEqual([])
    expect(log.read('t', 0, 0, { maxRecords: 4 }).records).toHaveLength(4)
    for (const from of [0, 4, 5]) {
      expect(() => log.read('t', 0, from)).toThrow(
        /^t\/0: the batch at offset 4 is corrupt.*log\.seek\(group, 't', 6, \{ partition: 0 \}\).*beforeOffset: 6/,
      )
    }
    expect(log.read('t', 0, 6).records).toHaveLength(4)
    expect(log.topics()[0]?.records).toBe(10)
  })

  it('goes away with a trim past it', async () => {
    const directory = await filled()
    await spoil(directory, cutToNothing, 4)
    const { log } = await reopened(directory)
    expect(await log.trim('t', { partition: 0, beforeOffset: 6 })).toMatchObject({ records: 6 })
    expect(contents(log)).toEqual(['r6', 'r7', 'r8', 'r9'])
  })
})
