/**
 * The anchor case against real processes: the launcher with the built CLI, then a killed pipeline, then a killed API.
 * In each, every payment below the committed position has a result, and every account's results are in order.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { openLog } from 'headgate/log'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fraudStats } from '../../examples/payment-enrichment/contestants.ts'
import { committedPositions } from '../../examples/payment-enrichment/log-reading.ts'
import { account } from '../../examples/payment-enrichment/lost.ts'
import { type Child, startFraudApi, startGenerator, startScript } from '../../examples/payment-enrichment/processes.ts'
import type { Status } from '../../src/model/status.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

let workspace = ''
let children: Child[] = []

beforeEach(() => {
  expect(existsSync(join(root, 'dist/cli/main.js')), 'run `npm run build` first').toBe(true)
  workspace = mkdtempSync(join(tmpdir(), 'headgate-example-'))
})

afterEach(async () => {
  for (const child of children) child.signal('SIGKILL')
  await Promise.all(children.map((child) => child.ended))
  children = []
  rmSync(workspace, { recursive: true, force: true })
})

function mine<C extends Child>(child: C): C {
  children.push(child)
  return child
}

async function surroundings(generatorArgs: string[]) {
  const errorsTo = join(workspace, 'errors.log')
  const logDirectory = join(workspace, 'log')
  const api = await startFraudApi({ errorsTo })
  mine(api.child)
  const generator = mine(await startGenerator({ args: ['--path', logDirectory, ...generatorArgs], errorsTo }))
  const env = { HEADGATE_FRAUD_URL: api.url, HEADGATE_LOG: logDirectory }
  const startPipeline = (): Child => mine(startScript('./headgate-run.ts', { env, errorsTo }))
  const said = (): string => (existsSync(errorsTo) ? readFileSync(errorsTo, 'utf8') : '')
  return { api, generator, logDirectory, errorsTo, startPipeline, said }
}

/** How many payments are committed while the processes write on. */
async function committed(logDirectory: string): Promise<number> {
  const log = await openLog(logDirectory)
  try {
    return [...committedPositions(log, 'payments', 'enrichers').values()].reduce((sum, offset) => sum + offset, 0)
  } finally {
    await log.close()
  }
}

describe('npm start', () => {
  it('runs for a while, loses nothing, and asks the API once for each payment', async () => {
    const report = join(workspace, 'report.json')
    const logDirectory = join(workspace, 'log')
    const started = join(root, 'examples/payment-enrichment/start.mjs')
    const args = [started, '--log', logDirectory, '--burst-for', '8s', '--for', '8s', '--report', report]
    const launcher = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    launcher.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
    const code = await new Promise((resolve) => launcher.once('close', resolve))
    expect(code, said).toBe(0)
    expect(said).toMatch(/console: http:\/\/127\.0\.0\.1:\d+/)

    const status = JSON.parse(readFileSync(report, 'utf8')) as Status
    const { records, stages, places } = status
    expect(records.in).toBe(
      records.out + records.filtered + records.deadLettered + records.skipped + records.returned + records.inFlight,
    )
    // How fast is for the benchmark to say: this machine may have other work.
    expect(records.out).toBeGreaterThan(100)
    expect(records.deadLettered + records.skipped).toBe(0)
    const fraud = stages.find((stage) => stage.name === 'fraud')!
    // Beside the few that it takes to find out what the API sustains.
    expect(fraud.attempts).toBeLessThanOrEqual(fraud.ok * 1.05 + 20)
    for (const place of places) {
      if (place.limitRecords !== null) expect(place.records, place.name).toBeLessThanOrEqual(place.limitRecords)
    }
    const settled = await account(logDirectory, 'enrichers')
    expect(settled.generated).toBeGreaterThan(records.out)
    expect(settled.lost).toEqual([])
    expect(settled.outOfOrder).toBe(0)
  })

  it('drains on SIGTERM and leaves no process behind', async () => {
    const logDirectory = join(workspace, 'log')
    const started = join(root, 'examples/payment-enrichment/start.mjs')
    const launcher = spawn(process.execPath, [started, '--log', logDirectory], {
      cwd: root,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let said = ''
    launcher.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
    const ended = new Promise((resolve) => launcher.once('close', resolve))
    while (!said.includes('pipeline pid') && launcher.exitCode === null) await sleep(100)
    while (launcher.exitCode === null && (await committed(logDirectory)) === 0) await sleep(500)
    launcher.kill('SIGTERM')
    expect(await ended, said).toBe(0)
    const pids = [...said.matchAll(/pid (\d+)/g)].map((match) => Number(match[1]))
    expect(pids.length).toBe(3)
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow('ESRCH')
    const settled = await account(logDirectory, 'enrichers')
    expect(settled.committed).toBeGreaterThan(0)
    expect(settled.lost).toEqual([])
  })
})

describe('the pipeline killed in the middle', () => {
  it('loses no payment and keeps each account in order when it is started again', async () => {
    const { api, generator, startPipeline, logDirectory, said } = await surroundings(['--for', '8s'])
    const first = startPipeline()
    await first.ready()
    while (first.running && (await committed(logDirectory)) === 0) await sleep(500)
    await sleep(1_000)
    first.signal('SIGKILL')
    await first.ended
    const second = startPipeline()
    await second.ready()
    await generator.ended
    await sleep(2_000)
    expect((await second.stop(40_000)).code, said()).toBe(0)

    const stats = await fraudStats(api)
    const settled = await account(logDirectory, 'enrichers')
    expect(stats.unique).toBeGreaterThan(0)
    expect(stats.orderViolations).toBe(0)
    expect(settled.committed).toBeGreaterThan(0)
    expect(settled.lost).toEqual([])
    expect(settled.outOfOrder).toBe(0)
    expect(settled.deadLettered).toBe(0)
    // What was in flight or uncommitted at the kill is scored again, and what was committed is not.
    expect(stats.duplicates).toBeLessThan(stats.unique)
  })
})

describe('the fraud API killed in the middle', () => {
  it('waits for it, loses no payment and dead-letters none', async () => {
    const { api, generator, startPipeline, logDirectory, errorsTo, said } = await surroundings(['--for', '12s'])
    const pipeline = startPipeline()
    await pipeline.ready()
    await sleep(3_000)
    api.child.signal('SIGKILL')
    await api.child.ended
    await sleep(3_000)
    expect(pipeline.running, said()).toBe(true)
    const again = await startFraudApi({ args: ['--port', String(api.port)], errorsTo })
    mine(again.child)
    await generator.ended
    // The breaker lets one call through now and then; once the API answers, the others follow.
    while ((await fraudStats(again)).unique === 0) await sleep(100)
    expect((await pipeline.stop(40_000)).code, said()).toBe(0)

    const settled = await account(logDirectory, 'enrichers')
    expect(settled.deadLettered).toBe(0)
    expect(settled.committed).toBeGreaterThan(0)
    expect(settled.lost).toEqual([])
    expect(settled.outOfOrder).toBe(0)
  })
})
