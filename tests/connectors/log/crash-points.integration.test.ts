/** Crash-point enumeration: a program is killed at every boundary of the write path in turn, then the log is opened. */
import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { openLog } from 'headgate/log'
import { describe, expect, it } from 'vitest'
import { start } from './child.ts'
import { contents, freshDirectory } from './fresh-log.ts'

/** What the child appends to each partition, in its order; offset 0 and 1 may have been trimmed. */
const WHOLE = [0, 1].map((partition) =>
  (
    [
      ['a', 4],
      ['b', 2],
      ['c', 1_200],
      ['d', 2],
    ] as const
  ).flatMap(([name, count]) =>
    Array.from({ length: count }, (_, part) => part)
      .filter((part) => part % 2 === partition)
      .map((part) => `${name}.${part}`),
  ),
)
/** Where each append ends in its partition. */
const ENDS: Readonly<Record<string, number>> = { a: 2, b: 3, c: 603, d: 604 }

/** Fails unless the log that a killed child left is a valid prefix with all that the child was told is stored. */
async function checkAfter(directory: string, acked: readonly string[], where: string): Promise<void> {
  const log = await openLog(directory)
  try {
    const there = log.topics()
    if (acked.includes('topic')) expect(there, where).toHaveLength(1)
    if (there.length === 0) return
    const ends = [0, 1].map((partition) => {
      const { firstOffset, nextOffset } = log.bounds('t', partition)
      expect(contents(log, 't', partition), where).toEqual(WHOLE[partition]!.slice(firstOffset, nextOffset))
      expect([0, 2], where).toContain(firstOffset)
      if (acked.includes('trim')) expect(firstOffset, where).toBe(2)
      return nextOffset
    })
    expect(ends[0], `${where}: an append is stored wholly or not at all`).toBe(ends[1])
    expect([0, ...Object.values(ENDS)], where).toContain(ends[0])
    for (const name of acked) expect(ends[0], where).toBeGreaterThanOrEqual(ENDS[name] ?? 0)
    checkGroup(log.groups()[0], acked, where)
    await log.append('t', [{ value: 'after', partition: 0 }])
    expect(contents(log).at(-1), where).toBe('after')
  } finally {
    await log.close()
  }
}

function checkGroup(
  group: ReturnType<Awaited<ReturnType<typeof openLog>>['groups']>[number] | undefined,
  acked: readonly string[],
  where: string,
): void {
  if (acked.includes('open')) expect(group, where).toBeDefined()
  if (!group) return
  expect(group.owner, `${where}: the owner's process is gone`).toBeNull()
  const places = group.partitions.map(({ nextOffset }) => nextOffset).join()
  const possible = ['0,0', '3,2', '4,4']
  expect(possible, where).toContain(places)
  const least = acked.includes('seek') ? 2 : acked.includes('commit') ? 1 : 0
  expect(possible.indexOf(places), where).toBeGreaterThanOrEqual(least)
}

async function crash(
  directory: string,
  point: number,
  shell = '',
): Promise<{ acked: string[]; passed: number | null; where: string }> {
  const child = start('crash', [directory, point], shell)
  const { signal, code, errors } = await child.ended
  const acked = child.lines.flatMap((line) => (typeof line['acked'] === 'string' ? [line['acked']] : []))
  const passed = (child.lines.find((line) => 'passed' in line)?.['passed'] as number | undefined) ?? null
  if (passed === null) expect(signal === 'SIGKILL' || code === 137, errors).toBe(true)
  const killedAt = child.lines.find((line) => 'killedAt' in line)?.['killedAt'] as string | undefined
  return {
    acked,
    passed,
    where: `killed at point ${point} (${killedAt ?? 'a system call'}), acknowledged: ${acked.join()}`,
  }
}

/** A program starts anew for every point, so this takes its time on a busy machine. */
const PATIENCE_MS = 600_000

describe('Promise 18: whatever moment a process dies at', () => {
  it(
    'recovery yields a valid prefix with all that was acknowledged: every boundary of the write path',
    async () => {
      const points = (await crash(freshDirectory(), 0)).passed as number
      expect(points).toBeGreaterThan(30)
      const kinds = new Set<string>()
      await inLanes(async (point) => {
        if (point > points) return false
        const directory = freshDirectory()
        const { acked, passed, where } = await crash(directory, point)
        expect(passed, where).toBeNull()
        kinds.add(/\((.*)\)/.exec(where)?.[1] as string)
        await checkAfter(directory, acked, where)
        return true
      })
      expect([...kinds].sort()).toEqual(['begin', 'committed', 'put', 'queued', 'written'])
    },
    PATIENCE_MS,
  )

  const canTrace = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0
  it.runIf(canTrace)(
    `recovery yields a valid prefix: every system call that writes (${canTrace ? 'strace' : 'skipped: it needs strace'})`,
    async () => {
      const calls = 'pwrite64,pwritev,pwritev2,fdatasync,fsync,ftruncate'
      let finishedAt = 0
      await inLanes(async (at) => {
        if (finishedAt > 0 || at > 300) return false
        const directory = freshDirectory()
        // One thread does the file work, since strace counts the calls of each thread.
        const traced = `export UV_THREADPOOL_SIZE=1; set -- strace -f -qq -o /dev/null -e trace=${calls} -e inject=${calls}:signal=SIGKILL:when=${at} "$@"`
        const { acked, passed, where } = await crash(directory, 0, traced)
        if (passed !== null) finishedAt = at
        await checkAfter(directory, acked, `write ${at}: ${where}`)
        return true
      })
      expect(finishedAt).toBeGreaterThan(20)
    },
    PATIENCE_MS,
  )
})

/** Runs `work` with 1, 2, 3 … until it returns false, a few at a time. */
async function inLanes(work: (at: number) => Promise<boolean>): Promise<void> {
  let next = 1
  const lane = async (): Promise<void> => {
    while (await work(next++));
  }
  await Promise.all(Array.from({ length: availableParallelism() }, lane))
}
