/** What the doctor looks at, how it says that it cannot, and the exit code that a script reads. Consoles are real, in this process. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { askDiagnosis, askProfile } from '../../src/cli/doctor/ask.ts'
import { DOES_NOT_WORK, exitCodeOf, FALLS_BEHIND } from '../../src/cli/doctor/exit-code.ts'
import { findTarget } from '../../src/cli/doctor/find.ts'
import { readReport } from '../../src/cli/doctor/report-file.ts'
import type { RunFile } from '../../src/console/run-file.ts'
import { HEALTH_KINDS, type Health } from '../../src/model/diagnosis.ts'
import { sampleDiagnosis } from '../console/sample-diagnosis.ts'
import { sampleStatus } from '../console/sample-status.ts'
import { openWorld } from '../console/server/world.ts'

const run = (pid: number, pipeline: string): RunFile => ({
  pid,
  pipeline,
  origin: `http://127.0.0.1:${pid}`,
  token: `token-of-${pid}-and-some-more`,
  startedAtMs: pid,
})
const among = (consoles: readonly RunFile[], env: NodeJS.ProcessEnv = {}) => ({ env, consoles: () => consoles })

describe('the target', () => {
  const two = [run(4001, 'orders'), run(4002, 'payments')]

  test('is the only pipeline that runs here', () => {
    expect(findTarget(undefined, among([run(4001, 'orders')]))).toEqual({
      kind: 'console',
      origin: 'http://127.0.0.1:4001',
      token: 'token-of-4001-and-some-more',
    })
  })

  test.each(['payments', '4002'])('is the one called %s', (name) => {
    expect(findTarget(name, among(two))).toMatchObject({ origin: 'http://127.0.0.1:4002' })
  })

  test('is at an address, with the token of the link, of the environment, or of its own file', () => {
    const env = { HEADGATE_CONSOLE_TOKEN: 'from-env' }
    expect(findTarget('http://10.0.0.1:9/#token=from-link', among(two, env))).toMatchObject({ token: 'from-link' })
    expect(findTarget('http://10.0.0.1:9', among(two, env))).toMatchObject({ token: 'from-env' })
    expect(findTarget('http://127.0.0.1:4002/', among(two))).toMatchObject({ token: 'token-of-4002-and-some-more' })
    expect(findTarget('http://10.0.0.1:9', among(two))).toMatchObject({ token: null })
  })

  test.each<[string | undefined, readonly RunFile[], string, string]>([
    [undefined, [], 'no pipeline with a console runs here', 'headgate run FILE --console'],
    [undefined, two, 'several pipelines run here', 'headgate doctor 4001   orders'],
    ['orders', [run(4001, 'orders'), run(4003, 'orders')], 'several pipelines run here', 'headgate doctor 4003'],
    ['oders', two, "there is no pipeline, process or file 'oders'", 'orders (4001), payments (4002)'],
    ['http://', two, "'http://' is not an address", 'http://HOST:PORT'],
  ])('%j among %j is refused with what there is', (given, consoles, said, advice) => {
    expect(() => findTarget(given, among(consoles))).toThrow(
      expect.objectContaining({ message: said, advice: expect.stringContaining(advice), exitCode: 2 }),
    )
  })
})

describe('asking', () => {
  test('gives the diagnosis that the console has', async () => {
    const { console } = await openWorld()
    const diagnosis = await askDiagnosis(console.origin, console.token)
    expect(diagnosis.verdict.sentence).toBe(sampleDiagnosis().verdict.sentence)
  })

  test('takes a profile where it is asked for', async () => {
    const { console } = await openWorld()
    await expect(askProfile(console.origin, console.token)).resolves.toBeUndefined()
    await expect(askProfile(console.origin, null)).rejects.toMatchObject({ exitCode: 1 })
  })

  test.each<[string, string | null, string]>([
    ['without a token', null, 'No token was given'],
    ['with a wrong one', 'wrong', 'The token is of another run'],
  ])('%s says where to get one', async (_, token, words) => {
    const { console } = await openWorld()
    await expect(askDiagnosis(console.origin, token)).rejects.toMatchObject({
      exitCode: 1,
      advice: expect.stringMatching(new RegExp(`${words}.*HEADGATE_CONSOLE_TOKEN.*doctor --link`)),
    })
  })

  test('says so when nobody answers, and when it is something else that does', async () => {
    const server = createServer((_, response) => response.end('hello'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    await expect(askDiagnosis(origin, null)).rejects.toMatchObject({
      advice: expect.stringContaining('Is that address'),
    })
    await new Promise((resolve) => server.close(resolve))
    await expect(askDiagnosis(origin, null)).rejects.toMatchObject({
      message: expect.stringContaining('there is no answer'),
      advice: expect.stringContaining('Does the pipeline still run'),
    })
  })
})

describe('a report', () => {
  const file = (text: string): string => {
    const folder = mkdtempSync(join(tmpdir(), 'headgate-doctor-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const path = join(folder, 'report.json')
    writeFileSync(path, text)
    return path
  }

  test('is diagnosed as a whole', () => {
    const diagnosis = readReport(file(JSON.stringify(sampleStatus(60, { state: 'stopped' }))))
    expect(diagnosis).toMatchObject({ pipeline: 'payment-enrichment', health: { kind: 'ended' } })
    expect(diagnosis.window.ms).toBe(60_000)
  })

  test.each([
    ['{"schema":1', 'cannot be read as a report'],
    ['{"schema":1}', 'is not a report of this version'],
  ])('%s is refused', (text, words) => {
    expect(() => readReport(file(text))).toThrow(words)
  })
})

test('the exit code says whether somebody is needed', () => {
  const health = (kind: Health['kind'], fallingBehind = false): Health => ({
    ...{ kind, fallingBehind, etaMs: null, breachMs: null, metastable: false, sentence: '' },
  })
  const codes = HEALTH_KINDS.map((kind) => [kind, exitCodeOf(health(kind))] as const)
  expect(codes.filter(([, code]) => code === DOES_NOT_WORK).map(([kind]) => kind)).toEqual([
    'retry-storm',
    'stalled',
    'failed',
  ])
  expect(codes.filter(([, code]) => code === FALLS_BEHIND).map(([kind]) => kind)).toEqual(['overload'])
  expect(exitCodeOf(health('throttling', true))).toBe(FALLS_BEHIND)
  expect(exitCodeOf(health('throttling'))).toBe(0)
})
