/**
 * Bad input as a user meets it, through the built command on real files: each has a clear answer, an exit code, and
 * loses nothing.
 */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { open } from 'lmdb'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Ended, start } from './command.ts'

let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'headgate-bad-'))
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(fileURLToPath(new URL('../../', import.meta.url)), join(folder, 'node_modules/headgate'))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const headgate = (...args: string[]): Promise<Ended> => start(args, { cwd: folder }).ended
const append = (path: string, lines: string): Promise<Ended> =>
  start(['log', 'append', 't', '--path', path, '--partitions', '1'], { cwd: folder, input: lines }).ended

const IMPORTS = `import { deadLetter, json, pipeline } from 'headgate'
import { file } from 'headgate/file'
import { log } from 'headgate/log'
`

/** Runs the pipeline that this expression makes. */
function run(name: string, expression: string): Promise<Ended> {
  writeFileSync(join(folder, name), `${IMPORTS}export default ${expression}\n`)
  return headgate('run', name)
}

function lines(name: string): unknown[] {
  const text = readFileSync(join(folder, name), 'utf8').trimEnd()
  return text === '' ? [] : text.split('\n').map((line) => JSON.parse(line) as unknown)
}

/** One of each kind, with a good record before, between and after them. */
const BAD = {
  undecodable: Buffer.from('{"id":'),
  'not UTF-8': Buffer.from([0x22, 0xff, 0xfe, 0x22]),
  'too deep': Buffer.from(`${'['.repeat(5_000)}${']'.repeat(5_000)}`),
  oversized: Buffer.from(`{"id":3,"text":"${'x'.repeat(1_100_000)}"}`),
}
const GOOD = ['{"id":1}', '{"id":2,"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}}}', '{"id":4}']
const SAFE = [{ id: 1 }, { id: 2 }, { id: 4 }]

function writeRecords(name: string): void {
  const [first, second, last] = GOOD.map((text) => Buffer.from(text))
  const all = [first, ...Object.values(BAD).slice(0, 2), second, ...Object.values(BAD).slice(2), last] as Buffer[]
  writeFileSync(join(folder, name), Buffer.concat(all.flatMap((line) => [line, Buffer.from('\n')])))
}

describe('records that are undecodable, not UTF-8, too deep, oversized or would pollute a prototype', () => {
  test('go to the dead letters with the reason, the good ones to their end, and none to nowhere', async () => {
    writeRecords('mixed.ndjson')
    const { code, stderr } = await run(
      'mixed.ts',
      `pipeline('mixed', { onFailure: deadLetter(file.sink({ path: 'dead.ndjson', encode: ({ reason, origin }: any) => JSON.stringify({ reason, origin }) })) })
        .from(file.source({ path: 'mixed.ndjson' }))
        .to(file.sink({ path: 'out.ndjson' }))`,
    )
    expect(stderr).toContain('in 7 · out 3 · filtered 0 · dead-lettered 4 · returned 0')
    expect(code).toBe(0)
    expect(lines('out.ndjson')).toEqual(SAFE)
    expect(lines('dead.ndjson').map((letter) => (letter as { reason: { message: string } }).reason.message)).toEqual([
      'not valid JSON: it ends too early, at position 6',
      'not valid JSON: the bytes are not valid UTF-8',
      'JSON is nested deeper than 64 levels at position 64',
      'the record has 1.0 MiB, more than admission.maxRecordBytes (1.0 MiB)',
    ])
  })

  test('stop the pipeline unless told otherwise; the place is named, and a better pipeline goes on there', async () => {
    writeRecords('stops.ndjson')
    const stopped = await run(
      'stops.ts',
      "pipeline('stops').from(file.source({ path: 'stops.ndjson' })).to(file.sink({ path: 'stops.out' }))",
    )
    expect(stopped.stderr).toMatch(/stage 'decode' failed for the record at stops\.ndjson@9: not valid JSON/)
    expect(stopped.stderr).toContain('set onFailure to deadLetter(sink) or skip()')
    expect(stopped.code).toBe(1)
    const { code } = await run(
      'goes-on.ts',
      `pipeline('stops', { onFailure: deadLetter(file.sink({ path: 'stops.dead', encode: ({ origin }: any) => JSON.stringify(origin.offset) })) })
        .from(file.source({ path: 'stops.ndjson' })).to(file.sink({ path: 'stops.out' }))`,
    )
    expect(code).toBe(0)
    const ids = lines('stops.out').map((value) => (value as { id: number }).id)
    expect(new Set(ids)).toEqual(new Set([1, 2, 4]))
    expect(lines('stops.dead')).toHaveLength(4)
  })

  test('larger records pass where both limits allow them', async () => {
    writeFileSync(join(folder, 'large.ndjson'), `${BAD.oversized.toString()}\n`)
    const { code, stderr } = await run(
      'large.ts',
      `pipeline('large', { admission: { maxRecordBytes: 2_000_000 } })
        .from(file.source({ path: 'large.ndjson', maxLineBytes: 2_000_000 })).to(file.sink({ path: 'large.out' }))`,
    )
    expect(stderr).toContain('in 1 · out 1')
    expect(code).toBe(0)
    expect(lines('large.out')).toEqual([JSON.parse(BAD.oversized.toString())])
  })

  test('lie in the log as they are, and are dead-lettered whole', async () => {
    const deep = `${'['.repeat(100)}${']'.repeat(100)}`
    expect((await append('deep-log', `{"id":1}\n${deep}\n{"id":4}\n`)).code).toBe(0)
    const { code, stderr } = await run(
      'from-log.ts',
      `pipeline('from-log', { onFailure: deadLetter(log.sink({ path: 'deep-log', topic: 'dead', partitions: 1 })) })
        .from(log.source({ path: 'deep-log', topic: 't', group: 'g', decode: json() }))
        .tap(() => { if (stop) return; stop = setTimeout(() => process.kill(process.pid, 'SIGTERM'), 500) })
        .to(file.sink({ path: 'from-log.out' }))
      var stop: NodeJS.Timeout | undefined`,
    )
    expect(stderr).toContain('in 3 · out 2 · filtered 0 · dead-lettered 1 · returned 0')
    expect(code).toBe(0)
    expect(lines('from-log.out')).toEqual([{ id: 1 }, { id: 4 }])
    const letter = await headgate('log', 'tail', 'dead', '--path', 'deep-log', '--json')
    expect(letter.stdout).toContain(`${deep.slice(0, 100)}`)
    expect(letter.stdout).toContain('nested deeper than 64 levels')
  })
})

describe('options of the wrong unit', () => {
  test('are all named with the place, what was expected, what came and what was meant', async () => {
    const { code, stderr } = await run(
      'units.ts',
      `pipeline('units', { admission: { bytes: '64MiB' as never } }).from(file.source({ path: 'x' })).to(file.sink({ path: 'y' }))`,
    )
    expect(stderr).toBe(
      "error: units.ts declares a pipeline that cannot run: pipeline 'units' › admission.bytes: expected an integer " +
        'from 1,024 to 1,099,511,627,776 (bytes), got "64MiB" (string); did you mean 67108864?\n  at units.ts:4:16\n',
    )
    expect(code).toBe(2)
  })

  test.each([
    [['run', 'mixed.ts', '--for', '40'], 'use 40s for seconds'],
    [['run', 'mixed.ts', '--drain', '25'], 'use 25s for seconds'],
    [['run', 'mixed.ts', '--interval', '1 hour'], 'is not a duration'],
    [['log', 'trim', 't', '--path', 'deep-log', '--bytes', '2TB'], 'is not a size: use 512, 64MiB or 2GiB'],
  ])('on the command line %j', async (args, words) => {
    const { code, stderr } = await headgate(...args)
    expect(stderr).toContain(words)
    expect(code).toBe(2)
  })
})

describe('a log folder', () => {
  const FROM_LOG = (path: string): string =>
    `pipeline('reads').from(log.source({ path: '${path}', topic: 't', group: 'g' })).to(file.sink({ path: 'reads.out' }))`

  /** Opens the log's data behind its back. */
  const inside = (path: string) =>
    open({ path: join(folder, path), noSubdir: false, overlappingSync: false, maxDbs: 20 })

  test.runIf(process.platform === 'linux')('without permission is named with what to do', async () => {
    const locked = join(folder, 'locked')
    mkdirSync(locked)
    chmodSync(locked, 0o000)
    // Nothing is locked for root, except what belongs to the kernel.
    const path = process.getuid?.() === 0 ? '/sys/headgate' : locked
    for (const ended of [await append(path, '{"id":1}\n'), await run('locked.ts', FROM_LOG(path))]) {
      expect(ended.stderr).toMatch(
        /^error: .*(This user may not read and write|is on a read-only file system).*choose a/,
      )
      expect(ended.stderr).not.toContain('    at ')
      expect(ended.code).toBe(1)
    }
    chmodSync(locked, 0o700)
  })

  test('from a newer version is refused and left as it is', async () => {
    await append('newer', '{"id":1}\n')
    const root = inside('newer')
    const meta = root.openDB<Buffer, string>({ name: 'meta', encoding: 'binary' })
    const format = Buffer.from(meta.get('format') as Buffer)
    await meta.put('format', Buffer.from('9'))
    await root.close()
    for (const ended of [await headgate('log', 'list', '--path', 'newer'), await run('newer.ts', FROM_LOG('newer'))]) {
      expect(ended.stderr).toMatch(/has format 9, this version of headgate reads format \d: upgrade headgate/)
      expect(ended.code).toBe(1)
    }
    const again = inside('newer')
    await again.openDB<Buffer, string>({ name: 'meta', encoding: 'binary' }).put('format', format)
    await again.close()
    expect((await headgate('log', 'tail', 't', '--path', 'newer')).stdout).toContain('{"id":1}')
  })

  test('torn at the end is cut there with a warning, and what was whole is delivered', async () => {
    await append('torn', '{"id":1}\n{"id":2}\n')
    await append('torn', '{"id":3}\n')
    const root = inside('torn')
    const batches = root.openDB<Buffer, number>({ name: 't/0', encoding: 'binary' })
    const last = batches.get(2) as Buffer
    await batches.put(2, Buffer.from(last.subarray(0, last.length >> 1)))
    await root.close()
    const listed = await headgate('log', 'list', '--path', 'torn')
    expect(listed.stderr).toMatch(
      /^warning: t\/0: the log ended with a corrupt batch at offset 2 \(.*\); it was cut off/,
    )
    expect((await append('torn', '{"id":4}\n')).code).toBe(0)
    writeFileSync(join(folder, 'torn.ts'), `${IMPORTS}export default ${FROM_LOG('torn')}\n`)
    const { code, stderr } = await headgate('run', 'torn.ts', '--for', '5s')
    expect(stderr).toContain('in 3 · out 3')
    expect(code).toBe(0)
    expect(lines('reads.out')).toHaveLength(3)
  })
})
