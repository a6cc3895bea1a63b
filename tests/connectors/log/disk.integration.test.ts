/** Disks that are full or fail. The kernel plays them: a small file system, a file size limit, injected errors. */
import { spawnSync } from 'node:child_process'
import { openLog } from 'headgate/log'
import { describe, expect, it } from 'vitest'
import { start } from './child.ts'
import { freshDirectory } from './fresh-log.ts'

const succeeds = (command: string, ...args: string[]): boolean => spawnSync(command, args).status === 0

describe('a full disk', () => {
  const canMount = succeeds('unshare', '-rm', 'sh', '-c', 'mount -t tmpfs -o size=6m tmpfs /tmp')
  const name = canMount ? 'tmpfs' : 'tmpfs, skipped: it needs unshare -rm'
  it.runIf(canMount)(
    `refuses appends, loses nothing acknowledged, and goes on once there is room (${name})`,
    async () => {
      const directory = freshDirectory()
      const mount = `set -- unshare -rm sh -c 'mount -t tmpfs -o size=6m tmpfs ${directory}; exec "$@"' sh "$@"`
      const child = start('filler', [directory, 'full'], mount)
      const { errors } = await child.ended
      const [full, overload, again, reopened] = child.lines
      expect(full, errors).toMatchObject({
        refused: { code: 'HG_STORAGE', message: expect.stringMatching(/is full: free space, or delete old records/) },
      })
      expect(full?.['stored']).toBeGreaterThan(30)
      expect(full?.['readable']).toBe(full?.['stored'])
      expect(overload, errors).toEqual({ sink: ['HG_OVERLOADED', 1_000] })
      expect(again?.['storedAgain'], errors).toBeGreaterThan(10)
      expect(again?.['readable']).toBe(Number(again?.['storedAgain']) + 2)
      expect(reopened).toEqual({
        reopened: again?.['readable'],
        progress: Number(full?.['stored']) - 1,
        of: full?.['stored'],
      })
    },
  )
})

describe('a failing disk', () => {
  it('fails the log for good, loses nothing acknowledged, and opening it again goes on (file size limit)', async () => {
    expect(await fails("trap '' XFSZ; ulimit -f 10240")).toBe('readable')
  })

  const canTrace = succeeds('strace', '-o', '/dev/null', 'true')
  const needs = canTrace ? 'strace' : 'skipped: it needs strace'
  /** Makes system calls fail; one thread does the file work, since strace counts the calls of each thread. */
  const inject = (calls: string, fault: string): string =>
    `export UV_THREADPOOL_SIZE=1; set -- strace -f -qq -o /dev/null -e trace=${calls} -e inject=${calls}:${fault} "$@"`

  it.runIf(canTrace)(`never trusts a flush that failed (${needs})`, async () => {
    await fails(inject('fdatasync,fsync', 'error=EIO:when=9'))
  })

  it.runIf(canTrace)(`neither hangs nor loses anything, whichever write of a commit fails (${needs})`, async () => {
    const outcomes = new Set<string>()
    for (let at = 20; at < 26; at += 1) {
      outcomes.add(await fails(`${inject('pwrite64', `error=ENOSPC:when=${at}`)}; trap '' XFSZ; ulimit -f 20000`))
    }
    // A page that could not be written is a full disk; the meta page makes LMDB give up until the log is opened again.
    expect(outcomes).toEqual(new Set(['readable', 'HG_STORAGE']))
  })
})

/** Returns whether the log could still be read before it was opened again. */
async function fails(shell: string): Promise<string> {
  const directory = freshDirectory()
  const child = start('filler', [directory, 'failing'], shell)
  const { errors } = await child.ended
  const [refused, again, reopened] = child.lines
  const { code, message } = (refused?.['refused'] ?? {}) as { code?: string; message?: string }
  expect(code, errors).toBe('HG_STORAGE')
  expect(message).toContain(directory)
  expect(again, errors).toEqual({ again: message })
  const stored = refused?.['stored'] as number
  const readable = refused?.['readable'] as number | string
  if (readable !== 'HG_STORAGE') expect(readable).toBe(stored)
  expect(reopened, errors).toEqual({ reopened: expect.any(Number) })
  const log = await openLog(directory)
  const { records } = log.read('t', 0, 0, { maxRecords: 10_000, maxBytes: 1e9 })
  expect(records.length).toBeGreaterThanOrEqual(stored)
  expect(records.map(({ offset }) => offset)).toEqual(records.map((_, at) => at))
  await log.append('t', [{ value: 'later' }])
  await log.close()
  return readable === 'HG_STORAGE' ? readable : 'readable'
}
