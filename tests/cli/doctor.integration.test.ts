/**
 * The doctor as a user meets it, over real processes: the fraud API, a generator, the built command with a console. The API is
 * killed in the middle: the diagnosis names what is down, the doctor's exit codes follow, and everything ends in order.
 */
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { startFraudApi, startGenerator } from '../../examples/payment-enrichment/processes.ts'
import { type RunFile, readRunFiles } from '../../src/console/run-file.ts'
import type { Diagnosis } from '../../src/model/diagnosis.ts'
import { fixture, headgate, start } from './command.ts'

const PIPELINE = fileURLToPath(new URL('../../examples/payment-enrichment/pipeline.ts', import.meta.url))

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'headgate-doctor-'))
  onTestFinished(() => rmSync(made, { recursive: true, force: true }))
  return made
}

async function until<T>(look: () => T | Promise<T>, holds: (seen: T) => boolean): Promise<T> {
  for (;;) {
    const seen = await look()
    if (holds(seen)) return seen
    await sleep(100)
  }
}

async function diagnosisOf({ origin, token }: RunFile): Promise<Diagnosis> {
  const response = await fetch(`${origin}/diagnosis`, { headers: { authorization: `Bearer ${token}` } })
  return (await response.json()) as Diagnosis
}

test('names an API that is killed, and sees it come back', async () => {
  const workspace = folder()
  const errorsTo = join(workspace, 'children.log')
  const log = join(workspace, 'log')
  let api = await startFraudApi({ errorsTo })
  onTestFinished(async () => void (await api.child.stop()))
  const generator = await startGenerator({ args: ['--path', log, '--per-minute', '60000', '--for', '300s'], errorsTo })
  onTestFinished(async () => void (await generator.stop()))
  const environment = { XDG_RUNTIME_DIR: workspace, HEADGATE_FRAUD_URL: api.url, HEADGATE_LOG: log }
  const { child, ended } = start(['run', PIPELINE, '--console', '0', '--plain'], { env: environment })
  onTestFinished(() => void child.kill('SIGKILL'))

  const runs = join(workspace, 'headgate')
  const [run] = await until(
    () => readRunFiles(runs),
    (found) => found.length === 1,
  )
  const doctor = (...args: readonly string[]) => start(['doctor', ...args], { env: environment })
  const working = await until(
    () => diagnosisOf(run!),
    ({ flow }) => flow.completionPerSecond > 5,
  )
  expect(working.health.kind).not.toMatch(/stalled|retry-storm|failed/)

  const watching = doctor('--watch')
  api.child.signal('SIGKILL')
  await api.child.ended
  const down = await until(
    () => diagnosisOf(run!),
    // On a host that is starved itself the doctor says so first.
    ({ verdict, flow }) =>
      verdict.kind === 'downstream-down' || (verdict.kind === 'starved-host' && flow.completionPerSecond < 1),
  )
  if (down.verdict.kind === 'downstream-down') expect(down.verdict.bottleneck).toBe('fraud')
  expect(down.placesCheck.holds).toBe(true)

  api = await startFraudApi({ args: ['--port', String(api.port)], errorsTo })
  await until(
    () => diagnosisOf(run!),
    ({ flow, verdict }) => flow.completionPerSecond > 5 && verdict.kind !== 'downstream-down',
  )

  const asked = await doctor('--json').ended
  expect([0, 4]).toContain(asked.code)
  expect((JSON.parse(asked.stdout) as Diagnosis).pipeline).toBe('payment-enrichment')
  const printed = await doctor().ended
  expect(printed.stdout).toContain('payment-enrichment')
  const link = await doctor('--link').ended
  expect(link.stdout.trim()).toBe(`${run!.origin}/#token=${run!.token}`)

  watching.child.kill('SIGINT')
  const watched = await watching.ended
  expect(watched.stdout).toMatch(/fraud/)
  expect(watched.stdout).not.toContain('\u001b')

  child.kill('SIGTERM')
  const { code, stderr } = await ended
  expect(code, stderr).toBe(0)
  expect(stderr).toContain(`console: ${run!.origin}`)
  expect(stderr).not.toContain(run!.token)
  expect(readdirSync(runs)).toEqual([])
  const gone = await doctor().ended
  expect(gone.code).toBe(2)
  expect(gone.stderr).toContain('headgate run FILE --console')
})

test('watches for as long as it is wanted with nothing to say about itself, and ends well when it is interrupted', async () => {
  const env = { XDG_RUNTIME_DIR: folder() }
  const run = start(['run', fixture('endless.ts'), '--console', '0'], { env })
  onTestFinished(() => void run.child.kill('SIGKILL'))
  await run.saw('console: ')
  const watching = start(['doctor', '--watch', '--json', '--interval', '20ms'], { env })
  onTestFinished(() => void watching.child.kill('SIGKILL'))
  let looks = 0
  watching.child.stdout?.on('data', (chunk) => {
    looks += String(chunk).split('\n').length - 1
  })
  await until(
    () => looks,
    (seen) => seen >= 30,
  )
  watching.child.kill('SIGINT')
  const { code, stderr } = await watching.ended
  expect([0, 4]).toContain(code)
  expect(stderr).toBe('')
})

test('a change through the console is an audit line of the run', async () => {
  const workspace = folder()
  const env = { XDG_RUNTIME_DIR: workspace, HEADGATE_CONSOLE_TOKEN: 'a-token-that-was-chosen' }
  const { child, ended } = start(['run', fixture('endless.ts'), '--console', '0', '--log-format', 'json'], { env })
  onTestFinished(() => void child.kill('SIGKILL'))
  const runs = join(workspace, 'headgate')
  const [run] = await until(
    () => readRunFiles(runs),
    (found) => found.length === 1,
  )
  expect(statSync(runs).mode & 0o777).toBe(0o700)
  expect(run?.token).toBe('a-token-that-was-chosen')
  const answer = await fetch(`${run!.origin}/control`, {
    method: 'POST',
    headers: { authorization: `Bearer ${run!.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ action: 'drain', confirm: 'endless' }),
  })
  expect(answer.status).toBe(200)
  const { code, stderr } = await ended
  expect(code, stderr).toBe(0)
  const lines = stderr.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as object] : []))
  expect(lines).toContainEqual(expect.objectContaining({ audit: true, action: 'drain', pipeline: 'endless' }))
  expect(stderr).not.toContain('a-token-that-was-chosen')
})

test.each([
  [['--console', 'nowhere'], "'nowhere' is not where a console can listen"],
  [['--console', '99999'], "'99999' is not where a console can listen"],
])('headgate run %j is refused before anything starts', async (args, words) => {
  const { code, stderr } = await headgate('run', fixture('endless.ts'), ...args)
  expect([code, stderr]).toEqual([2, expect.stringContaining(words)])
})

test('a port that is taken is said, and nothing is left running', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const { code, stderr } = await headgate('run', fixture('endless.ts'), '--console', String(port))
  expect([code, stderr]).toEqual([2, expect.stringContaining('another process has that port; name another one')])
})
