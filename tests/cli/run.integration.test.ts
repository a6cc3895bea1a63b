/** `headgate run` as a user meets it: the built command, real processes, real signals. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { statusSchema } from '../../src/runtime/status-schema.ts'
import { fixture, headgate, start } from './command.ts'

const ESCAPE = '\u001b'
/** Far longer than a refusal takes, on a busy machine as well. */
const REFUSED_WITHIN_MS = 30_000
let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'headgate-run-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const reported = (file: string) => statusSchema.parse(JSON.parse(readFileSync(file, 'utf8')))

describe('a run', () => {
  test('ends with its sources, says so, and writes a report that matches the schema', async () => {
    const report = join(folder, 'made/on/demand/finite.json')
    const { code, stdout, stderr } = await headgate('run', fixture('finite.ts'), '--report', report)
    expect(stderr).toContain('finite finished after')
    expect(stderr).toContain('in 200 · out 180 · filtered 20 · dead-lettered 0 · returned 0')
    expect(code).toBe(0)
    expect(stdout).toBe('')
    expect(stderr).not.toContain(ESCAPE)
    expect(reported(report)).toMatchObject({
      state: 'stopped',
      records: { in: 200, out: 180, filtered: 20, inFlight: 0 },
    })
  })

  test('drains after --for, with a log line at each interval and no escape code in a pipe', async () => {
    const report = join(folder, 'endless.json')
    const args = ['--for', '2s', '--interval', '500ms', '--report', report]
    const { code, stderr } = await headgate('run', fixture('endless.ts'), ...args)
    expect(stderr.match(/running · done .*\/s/g)?.length).toBeGreaterThanOrEqual(2)
    expect(stderr).toContain('Time is up: draining within 25s')
    expect(stderr).toContain('endless drained after')
    expect(stderr).not.toContain(ESCAPE)
    expect(code).toBe(0)
    const { records, state } = reported(report)
    expect(state).toBe('stopped')
    expect(records.in).toBe(records.out + records.returned)
    expect(records.out).toBeGreaterThan(100)
  })

  test('keeps what adaptive limits learn with --limits, and ignores a file that it cannot use with a warning', async () => {
    const limits = join(folder, 'made/limits.json')
    const first = await headgate('run', fixture('adaptive.ts'), '--limits', limits)
    expect(first.code).toBe(0)
    const kept = JSON.parse(readFileSync(limits, 'utf8'))
    expect(kept).toMatchObject({ version: 1, limits: { 'stage:api': { '': { version: 1 } } } })
    expect(kept.limits['stage:api'][''].limit).toBeGreaterThan(1)
    for (const [text, said] of [
      ['{"version":1,"lim', 'are no JSON and are ignored'],
      ['{"version":9}', 'a different version and are ignored'],
    ] as const) {
      writeFileSync(limits, text)
      const again = await headgate('run', fixture('adaptive.ts'), '--limits', limits)
      expect(again.stderr).toContain(said)
      expect(again.code).toBe(0)
      expect(JSON.parse(readFileSync(limits, 'utf8'))).toMatchObject({ version: 1 })
    }
  })

  test('writes JSON lines, and nothing else, when asked to', async () => {
    const { stderr } = await headgate(
      'run',
      fixture('endless.ts'),
      '--for',
      '1500ms',
      '--interval',
      '500ms',
      '--log-format',
      'json',
    )
    const lines = stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { records?: { in: number } })
    expect(lines.filter((line) => line.records !== undefined).length).toBeGreaterThanOrEqual(2)
  })

  test('promise 14: drains on SIGTERM', async () => {
    const { child, ended, saw } = start(['run', fixture('endless.ts'), '--interval', '200ms'])
    await saw('running · done')
    child.kill('SIGTERM')
    const { code, stderr } = await ended
    expect(stderr).toContain('SIGTERM received: draining')
    expect(stderr).toContain('endless drained after')
    expect(code).toBe(0)
  })

  test('says what a drain waits for, and exits with 3 when the deadline passes', async () => {
    const report = join(folder, 'stuck.json')
    const args = ['--for', '500ms', '--drain', '1500ms', '--report', report]
    const { code, stderr } = await headgate('run', fixture('stuck.ts'), ...args)
    expect(stderr).toMatch(/Draining, \ds? ?.*left: .*never/)
    expect(stderr).toContain('3 records were returned: they will be delivered again')
    expect(code).toBe(3)
    expect(reported(report).records).toMatchObject({ in: 3, out: 0, returned: 3 })
  })

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('exits at once on a second %s', async (signal, expected) => {
    const { child, ended, saw } = start(['run', fixture('stuck.ts'), '--interval', '200ms'])
    await saw('running · done')
    child.kill(signal)
    await saw('A second signal ends it at once')
    child.kill(signal)
    // Another code than that of a drain whose deadline passed.
    const { code, stderr } = await ended
    expect(stderr).toContain('will be delivered again')
    expect(code).toBe(expected)
  })

  test('exits with 1 and reports when the pipeline fails', async () => {
    const report = join(folder, 'failing.json')
    const { code, stderr } = await headgate('run', fixture('failing.ts'), '--report', report)
    expect(stderr).toContain('failing failed after')
    expect(stderr).toContain('no such account')
    expect(code).toBe(1)
    expect(reported(report)).toMatchObject({ state: 'failed', records: { out: 0 } })
    expect(reported(report).error?.message).toContain('no such account')
  })

  test.skipIf(process.platform !== 'linux')(
    'refuses a report in a folder that the system does not let anybody make',
    async () => {
      const file = '/proc/headgate/made/report.json'
      const { child, ended } = start(['run', fixture('finite.ts'), '--report', file])
      // A call that never returns keeps the process from hearing any other signal.
      const timer = setTimeout(() => child.kill('SIGKILL'), REFUSED_WITHIN_MS)
      const { code, stderr } = await ended
      clearTimeout(timer)
      expect(code).toBe(2)
      expect(stderr).toContain(`the report cannot be written to ${file}: the folder /proc/headgate cannot be made`)
      expect(stderr).toContain('Name a file in a folder that this user may write to')
    },
  )
})

describe('a pipeline file', () => {
  const write = (name: string, text: string): string => {
    const file = join(folder, name)
    writeFileSync(file, text)
    return file
  }

  test.each(['module', 'commonjs'])(
    'is found to import headgate as a dependency, in a package of type %s',
    async (type) => {
      const project = join(folder, type)
      mkdirSync(join(project, 'node_modules'), { recursive: true })
      symlinkSync(fileURLToPath(new URL('../../', import.meta.url)), join(project, 'node_modules/headgate'))
      writeFileSync(join(project, 'package.json'), JSON.stringify({ type }))
      writeFileSync(join(project, 'lines.ts'), 'export const values: readonly number[] = [1, 2, 3]\n')
      writeFileSync(
        join(project, 'pipeline.ts'),
        `import { pipeline } from 'headgate'
       import { memory } from 'headgate/memory'
       import { values } from './lines.ts'
       export default pipeline('dependent').from(memory.source(values)).map((value: number) => value + 1).to(memory.sink())`,
      )
      const { code, stderr } = await start(['run', 'pipeline.ts'], { cwd: project }).ended
      expect(stderr).toContain('in 3 · out 3')
      expect(code).toBe(0)
    },
  )

  test.each([
    ['plain.mjs', ''],
    ['typed.mts', ': number'],
  ])('may be %s', async (name, type) => {
    const file = write(name, `const answer${type} = 42\nexport const other = answer\n`)
    const { code, stderr } = await headgate('run', file)
    expect(stderr).toContain(`${name} does not export a pipeline by default: it exports other (number)`)
    expect(code).toBe(2)
  })

  test('that is not there is looked for beside', async () => {
    write('there.ts', 'export default 1\n')
    const { code, stderr } = await headgate('run', join(folder, 'there'))
    expect(stderr).toContain('there.ts: run that.')
    expect(code).toBe(2)
  })

  test('that breaks is shown with its place and without a stack trace', async () => {
    const typescript = await headgate('run', write('broken.ts', 'const a: number = 1\nexport default {a b}\n'))
    expect(typescript.stderr).toMatch(/^error: syntax error at .*broken\.ts:2:18: Expected "}" but found "b"\n$/)
    expect(typescript.code).toBe(2)
    const javascript = await headgate('run', write('broken.mjs', 'const a = 1\nexport default {a b}\n'))
    expect(javascript.stderr).toMatch(/^error: syntax error at .*broken\.mjs:2: Unexpected identifier/)
    const throwing = `const a: number = 1\nthrow new Error(String(a))\n`
    const thrown = await headgate('run', write('thrown.mts', throwing))
    expect(thrown.stderr).toMatch(/failed while it was loaded: 1\n {2}at .*thrown\.mts:2:7\n$/)
  })

  test('that breaks has its stack trace with --verbose', async () => {
    const { stderr } = await headgate('run', write('traced.mts', 'throw new Error("boom")\n'), '--verbose')
    expect(stderr).toMatch(/\n {4}at .*traced\.mts:1:7/)
  })

  test('that exports its pipeline under a name is told to make it the default', async () => {
    const file = write('named.mts', 'export const mine = { [Symbol.for("headgate.pipeline")]: true }\n')
    expect((await headgate('run', file)).stderr).toContain("It exports a pipeline as 'mine': make it the default")
  })

  test('that imports what is not installed is told what to install', async () => {
    const { code, stderr } = await headgate(
      'run',
      write('missing.mts', 'import "@not/installed/deep"\nexport default 1\n'),
    )
    expect(stderr).toContain("imports '@not/installed', which is not there")
    expect(stderr).toContain('npm install @not/installed')
    expect(code).toBe(2)
  })
})
