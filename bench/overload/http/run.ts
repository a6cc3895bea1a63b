/**
 * One run of a scenario over loopback HTTP: a server and a client, each a process of its own, on a free port. Both are
 * ended by their own process ids, whatever happens.
 */
import { readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Child, startScript } from '../../../examples/payment-enrichment/processes.ts'
import type { Scenario } from '../../../src/sim/scenario.ts'
import type { ClientSetting } from './client.ts'
import type { ClientCounts, PhaseCounts, ServerCounts } from './counts.ts'
import { durationOf } from './scenarios.ts'

export type Side = 'headgate' | 'naive'

export interface HttpRun {
  /** As the server counted. */
  readonly phases: readonly PhaseCounts[]
  /** Of each `SAMPLE_MS`, as the server counted. */
  readonly successes: readonly number[]
  /** As the client counted. */
  readonly clientPhases: readonly PhaseCounts[]
  readonly written: number
  readonly givenUp: number
  readonly serverLoopDelayMs: number
  readonly clientLoopDelayMs: number
}

const START_AND_END_MS = 30_000

let runs = 0

export async function runOverHttp(scenario: Scenario, side: Side, seed: number): Promise<HttpRun> {
  const errorsTo = join(tmpdir(), `headgate-overload-${process.pid}-${(runs += 1)}.log`)
  const children: Child[] = []
  const start = (script: string, args: readonly string[]): Child => {
    const child = startScript(new URL(script, import.meta.url).href, { args, errorsTo })
    children.push(child)
    return child
  }
  try {
    const server = start('./server.ts', ['--scenario', JSON.stringify(scenario), '--seed', String(seed)])
    const { listening } = await server.ready<{ listening: number }>()
    const url = `http://127.0.0.1:${listening}`
    const setting: ClientSetting = { url, scenario, seed }
    const client = start(`./${side}-client.ts`, ['--setting', JSON.stringify(setting)])
    const counts = await within(durationOf(scenario) + START_AND_END_MS, client.ready<ClientCounts>())
    if (counts.error !== '') throw new Error(`the ${side} client failed: ${counts.error}`)
    const served = (await (await fetch(`${url}/counts`)).json()) as ServerCounts
    if (!served.isOver) throw new Error('the client ended before the last phase')
    return {
      phases: served.phases.slice(0, scenario.phases.length),
      successes: served.successes,
      clientPhases: counts.phases,
      written: counts.written,
      givenUp: counts.givenUp,
      serverLoopDelayMs: served.loopDelayP99Ms,
      clientLoopDelayMs: counts.loopDelayP99Ms,
    }
  } catch (error) {
    throw new Error(`${scenario.name}: ${String(error)}\n${said(errorsTo)}`, { cause: error })
  } finally {
    await Promise.all(children.map((child) => child.stop()))
    rmSync(errorsTo, { force: true })
  }
}

function said(file: string): string {
  try {
    return readFileSync(file, 'utf8').slice(-2000)
  } catch {
    return ''
  }
}

async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the client did not end within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
