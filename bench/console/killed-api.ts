/**
 * How long it takes until the console shows that an API was killed, over real processes: the payment example with the fraud API. First
 * its limiter says that it is closed, and why (`/status`, the page shows it); then the verdict names it (`/diagnosis`): the longest counts.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { scriptEnvironment, startFraudApi, startGenerator } from '../../examples/payment-enrichment/processes.ts'
import { type RunFile, readRunFiles } from '../../src/console/run-file.ts'
import type { Diagnosis } from '../../src/model/diagnosis.ts'
import type { Status } from '../../src/model/status.ts'
import { median, type Result, verdict } from '../harness.ts'

const ALLOWED_S = 5
const LIMIT_MS = 60_000
const SETTLE_MS = 12_000
const LOOK_MS = 100

interface Seconds {
  readonly shown: number
  readonly named: number
}

export async function killedApi(repeats: number): Promise<Result> {
  const all: Seconds[] = []
  for (let repeat = 0; repeat < repeats; repeat += 1) {
    const took = await once()
    const text = `shown after ${took.shown.toFixed(1)} s, named after ${took.named.toFixed(1)} s`
    process.stderr.write(`  a killed API: repeat ${repeat + 1}, ${text}\n`)
    all.push(took)
  }
  const measured = Math.max(...all.map(({ named }) => named))
  const ratio = { allowance: ALLOWED_S / measured }
  const goal = { allowance: 1 }
  return {
    ...{ name: 'a killed API is shown', unit: 's', headgate: measured, peers: { allowance: ALLOWED_S } },
    ...{ ratio, goal, holds: verdict(goal, ratio), skipped: {} },
    notes: { 'seconds until its limiter is closed': median(all.map(({ shown }) => shown)) },
  }
}

async function once(): Promise<Seconds> {
  const directory = mkdtempSync(join(tmpdir(), 'headgate-killed-'))
  const errorsTo = join(directory, 'children.log')
  const log = join(directory, 'log')
  const api = await startFraudApi({ errorsTo })
  const generator = await startGenerator({ args: ['--path', log, '--per-minute', '60000', '--for', '600s'], errorsTo })
  const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url))
  const args = ['run', path('../../examples/payment-enrichment/pipeline.ts'), '--console', '0', '--plain']
  const child = spawn(process.execPath, [path('../../dist/cli/main.js'), ...args], {
    env: { ...scriptEnvironment(), XDG_RUNTIME_DIR: directory, HEADGATE_FRAUD_URL: api.url, HEADGATE_LOG: log },
    stdio: 'ignore',
  })
  try {
    const run = await foundConsole(join(directory, 'headgate'))
    await seen(run, ({ flow }) => flow.completionPerSecond > 20)
    await sleep(SETTLE_MS)
    api.child.signal('SIGKILL')
    await api.child.ended
    const killedMs = performance.now()
    const since = (): number => (performance.now() - killedMs) / 1000
    await until(async () => isClosed(await ask<Status>(run, '/status')))
    const shown = since()
    await seen(run, ({ verdict: { kind } }) => kind === 'downstream-down')
    return { shown, named: since() }
  } finally {
    child.kill('SIGTERM')
    await new Promise((resolve) => child.once('exit', resolve))
    await Promise.all([generator.stop(), api.child.stop()])
    rmSync(directory, { recursive: true, force: true })
  }
}

function isClosed({ stages }: Status): boolean {
  return stages.some(({ limiters }) => limiters.some(({ breaker }) => breaker !== 'closed'))
}

async function foundConsole(folder: string): Promise<RunFile> {
  let found: RunFile | undefined
  await until(() => {
    found = readRunFiles(folder)[0]
    return found !== undefined
  })
  return found as RunFile
}

function seen(run: RunFile, holds: (now: Diagnosis) => boolean): Promise<void> {
  return until(async () => holds(await ask<Diagnosis>(run, '/diagnosis')))
}

async function ask<T>({ origin, token }: RunFile, path: string): Promise<T> {
  const response = await fetch(origin + path, { headers: { authorization: `Bearer ${token}` } })
  return (await response.json()) as T
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const endMs = performance.now() + LIMIT_MS; performance.now() < endMs; await sleep(LOOK_MS))
    if (await holds()) return
  throw new Error(`not seen within ${LIMIT_MS / 1000} s`)
}
