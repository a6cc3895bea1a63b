/** `headgate log` as an operator meets it: the built command on a real log in a fresh directory. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { headgate, start } from './command.ts'

const RECORDS = 12_000
let folder: string
let path: string

const payment = (id: number): string => JSON.stringify({ id, account: { id: `a${id % 100}` } })

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'headgate-log-'))
  path = join(folder, 'data')
  const file = join(folder, 'payments.ndjson')
  writeFileSync(file, `${Array.from({ length: RECORDS }, (_, id) => payment(id)).join('\n')}\n\n`)
  const { code, stderr } = await log('append', 'payments', file, '--key', 'account.id', '--partitions', '4')
  expect(stderr).toContain('Appended 12,000 records')
  expect(code).toBe(0)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const log = (...args: string[]) => headgate('log', ...args, '--path', path)
const jsonLines = (text: string): Record<string, unknown>[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

describe('append', () => {
  test('reads standard input and tells how many records have no key', async () => {
    const input = '{"k":1}\n{"other":2}\n'
    const { ended } = start(['log', 'append', 'piped', '--path', path, '--key', 'k'], { input })
    const { code, stderr, stdout } = await ended
    expect(stderr).toContain('Appended 2 records')
    expect(stderr).toContain("1 of them has no field 'k'")
    expect(stdout).toBe('')
    expect(code).toBe(0)
  })

  test('stops at a line that is not JSON, and says what was appended before', async () => {
    const file = join(folder, 'broken.ndjson')
    writeFileSync(file, '{"id":1}\n{"id":\n')
    const { code, stderr } = await log('append', 'broken', file)
    expect(stderr).toContain('broken.ndjson:2 is not JSON')
    expect(stderr).toContain('Appended before it: 1 record.')
    expect(code).toBe(1)
  })

  test('reads past the mark that some editors begin a file with', async () => {
    const file = join(folder, 'marked.ndjson')
    writeFileSync(file, '\uFEFF{"id":1}\r\n{"id":2}')
    expect(await log('append', 'marked', file)).toMatchObject({ code: 0 })
    const { stdout } = await log('tail', 'marked', '--from', 'earliest', '--json')
    expect(jsonLines(stdout).map(({ value }) => value)).toEqual(expect.arrayContaining([{ id: 1 }, { id: 2 }]))
  })

  test('refuses another number of partitions than the topic has', async () => {
    const { code, stderr } = await log('append', 'payments', join(folder, 'payments.ndjson'), '--partitions', '5')
    expect(stderr).toContain("Topic 'payments' has 4 partitions")
    expect(code).toBe(2)
  })
})

describe('list', () => {
  test('shows what there is, as a table and as JSON', async () => {
    expect((await log('list')).stdout).toMatch(/^payments +4 +12,000 /m)
    expect(jsonLines((await log('list', '--json')).stdout)).toContainEqual(
      expect.objectContaining({ name: 'payments', records: RECORDS }),
    )
  })

  test('says of groups that there is none, or none of the kind that was asked for', async () => {
    const other = join(folder, 'without-groups')
    await headgate('log', 'append', 'orders', join(folder, 'payments.ndjson'), '--path', other)
    expect((await headgate('log', 'groups', '--path', other)).stderr).toMatch(/^No group has consumed from the log at /)
    const asked = await headgate('log', 'groups', '--path', other, '--group', 'enrichers')
    expect(asked.stderr).toMatch(/^No such group has consumed from the log at /)
  })

  test('makes no log where there is none', async () => {
    const { code, stderr } = await headgate('log', 'list', '--path', join(folder, 'nowhere'))
    expect(stderr).toContain('there is no log at')
    expect(code).toBe(2)
  })
})

describe('tail', () => {
  test('prints the last ten of each partition', async () => {
    const lines = (await log('tail', 'payments')).stdout.trim().split('\n')
    expect(lines).toHaveLength(40)
    expect(lines.at(-1)).toMatch(/^\d{4}-\d\d-\d\dT\S+ {2}payments\/\d@\d+ {2}a\d+ {2}\{"id":/)
  })

  test('prints all of them once, each partition in order', async () => {
    const records = jsonLines((await log('tail', 'payments', '--from', 'earliest', '--json')).stdout)
    expect(new Set(records.map(({ value }) => (value as { id: number }).id)).size).toBe(RECORDS)
    expect(records).toHaveLength(RECORDS)
    const last = new Map<unknown, number>()
    for (const { partition, offset, key, value } of records) {
      expect(offset).toBe((last.get(partition) ?? -1) + 1)
      last.set(partition, offset as number)
      expect(key).toBe((value as { account: { id: string } }).account.id)
    }
  })

  test('stops at its limit and starts where it is told', async () => {
    const { stdout } = await log('tail', 'payments', '--partition', '1', '--from', '5', '--limit', '3', '--json')
    expect(jsonLines(stdout).map(({ offset }) => offset)).toEqual([5, 6, 7])
  })

  test('follows what is appended, and ends well when it is interrupted', async () => {
    const following = start(['log', 'tail', 'payments', '--path', path, '--follow', '--json'])
    let seen = ''
    const arrived = new Promise<void>((resolve) => {
      following.child.stdout?.on('data', (chunk) => {
        seen += chunk
        if (seen.includes('"fresh"')) resolve()
      })
    })
    const writing = setInterval(() => {
      void start(['log', 'append', 'payments', '--path', path], { input: '"fresh"\n' }).ended
    }, 1500)
    await arrived
    clearInterval(writing)
    following.child.kill('SIGINT')
    expect((await following.ended).code).toBe(0)
  })

  test('names the topics there are', async () => {
    const { code, stderr } = await log('tail', 'paymnets')
    expect(stderr).toMatch(/no topic 'paymnets'\n {2}It has: .*payments/)
    expect(code).toBe(2)
  })
})

describe('groups and trim', () => {
  test('show lag, move a group, and tell who loses records', async () => {
    const pipeline = join(import.meta.dirname, 'fixtures/from-log.ts')
    const run = start(['run', pipeline], { env: { HEADGATE_LOG: path } })
    while (run.child.exitCode === null && !/^readers +payments +4 +0 /m.test((await log('groups')).stdout));
    run.child.kill('SIGTERM')
    expect((await run.ended).stderr).toContain('drained after')

    expect((await log('groups')).stdout).toMatch(/^readers +payments +4 +0 +0s .*nobody$/m)
    const moved = await log('groups', '--group', 'readers', '--topic', 'payments', '--reset', 'earliest')
    expect(moved.stderr).toContain('Moved group readers on payments to earliest.')
    expect(moved.stdout).toMatch(/^readers +payments +4 +12,0\d\d /m)

    const trimmed = await log('trim', 'payments', '--before-offset', '500')
    expect(trimmed.stderr).toContain('Deleted 2,000 records')
    expect(trimmed.stderr).toContain('Group readers had not consumed 2,000 of them.')
    const { stdout } = await log('tail', 'payments', '--from', 'earliest', '--limit', '1', '--json')
    expect(jsonLines(stdout)[0]).toMatchObject({ offset: 500 })
  })

  test.each([
    [['groups', '--reset', 'earliest'], '--reset needs --group and --topic'],
    [['groups', '--group', 'x', '--topic', 'payments', '--reset', '0'], "no group 'x' on topic 'payments'"],
    [['trim', 'payments'], 'nothing says what to delete'],
    [['trim', 'payments', '--bytes', '1', '--older-than', '1h'], 'only one rule at a time'],
    [['trim', 'payments', '--older-than', '24'], 'use 24s for seconds'],
  ])('refuse %j', async (args, words) => {
    const { code, stderr } = await log(...args)
    expect(stderr).toContain(words)
    expect(code).toBe(2)
  })
})
