/**
 * What the client processes have in common: their setting, one call over `fetch` with its pool of keep-alive
 * connections, records that arrive at random, and the end of the run.
 */
import { parseArgs } from 'node:util'
import { SeededRandom } from '../../../src/control/random.ts'
import type { Outcome, Scenario } from '../../../src/sim/scenario.ts'
import { Source } from '../../../src/sim/source.ts'
import { Attempts } from './attempts.ts'

const ARRIVALS_EVERY_MS = 5
const WARM_UP_MS = 1500
const WARM_UP_CALLS = 20

export interface ClientSetting {
  readonly url: string
  readonly scenario: Scenario
  readonly seed: number
}

export function settingFromArguments(): ClientSetting {
  const { values } = parseArgs({ options: { setting: { type: 'string' } } })
  return JSON.parse(values.setting ?? '') as ClientSetting
}

/**
 * Starts the server's first phase, once the code of `fetch` and of the server is compiled: a service runs for weeks,
 * and a first second in which every call takes longer would be measured as a slow downstream.
 */
export async function begin({ url, scenario }: ClientSetting): Promise<Attempts> {
  const untilMs = performance.now() + WARM_UP_MS
  const warm = async (): Promise<void> => {
    while (performance.now() < untilMs) await (await fetch(`${url}/call`)).arrayBuffer()
  }
  await Promise.all(Array.from({ length: WARM_UP_CALLS }, warm))
  const sentMs = performance.now()
  const response = await fetch(`${url}/begin`, { method: 'POST' })
  await response.text()
  return new Attempts(scenario.phases, (sentMs + performance.now()) / 2)
}

/** Calls `arrived` with how many records came since the last time, until the returned function is called. */
export function arrivals({ scenario, seed }: ClientSetting, arrived: (count: number) => void): () => void {
  const { source: spec } = scenario
  if (spec === undefined || spec.kind === 'endless') throw new Error('records arrive only where a rate says so')
  const source = new Source(spec, 1, new SeededRandom(seed ^ 0x50c4ce))
  const startMs = performance.now()
  let nextMs = source.nextMs(0)
  const timer = setInterval(() => {
    const nowMs = performance.now() - startMs
    let count = 0
    for (; nextMs <= nowMs; nextMs = source.nextMs(nextMs)) count += 1
    if (count > 0) arrived(count)
  }, ARRIVALS_EVERY_MS)
  return () => clearInterval(timer)
}

/** How an attempt ended, from what it threw: a HeadgateError, or what `fetch` throws. */
export function outcomeOf(thrown: unknown): Outcome {
  const { code, name, status } = thrown as { code?: unknown; name?: unknown; status?: unknown }
  if (code === 'HG_OVERLOADED') return { kind: 'overloaded', ...(typeof status === 'number' ? { status } : {}) }
  if (code === 'HG_TIMEOUT' || name === 'TimeoutError') return { kind: 'timeout' }
  return { kind: 'failed' }
}
