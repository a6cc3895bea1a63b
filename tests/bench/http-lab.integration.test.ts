/** The lab's server and clients as real processes on loopback: what goes over the wire, and that the counts agree. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ServerCounts } from '../../bench/overload/http/counts.ts'
import { runOverHttp } from '../../bench/overload/http/run.ts'
import { type Child, startScript } from '../../examples/payment-enrichment/processes.ts'
import type { Conditions, Scenario } from '../../src/sim/scenario.ts'

const SERVER = new URL('../../bench/overload/http/server.ts', import.meta.url).href
const BUILT = new URL('../../dist/index.js', import.meta.url)
const quick: Conditions = { servers: 20, service: { kind: 'constant', meanMs: 20 }, network: { rttMs: 0 } }
const world = (durationMs: number, ...changes: Partial<Conditions>[]): Scenario => ({
  name: 'test',
  phases: changes.map((change, index) => ({ ...quick, ...change, name: `phase ${index}`, durationMs })),
})

describe('the server', () => {
  let folder = ''
  let child: Child | null = null

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'headgate-http-lab-'))
  })

  afterEach(async () => {
    await child?.stop()
    child = null
    rmSync(folder, { recursive: true, force: true })
  })

  async function serve(scenario: Scenario, begins = true): Promise<string> {
    child = startScript(SERVER, {
      args: ['--scenario', JSON.stringify(scenario)],
      errorsTo: join(folder, 'errors.log'),
    })
    const { listening } = await child.ready<{ listening: number }>()
    const url = `http://127.0.0.1:${listening}`
    if (begins) await (await fetch(`${url}/begin`, { method: 'POST' })).text()
    return url
  }

  const countsAt = async (url: string): Promise<ServerCounts> =>
    (await (await fetch(`${url}/counts`)).json()) as ServerCounts

  test('serves whatever comes before the first phase, which begins afresh', async () => {
    const url = await serve(world(60_000, {}), false)
    for (let call = 0; call < 3; call += 1) expect((await fetch(`${url}/call`)).status).toBe(200)
    await (await fetch(`${url}/begin`, { method: 'POST' })).text()
    expect((await countsAt(url)).phases).toMatchObject([{ attempts: 0, successes: 0 }])
  })

  test('answers 200, then 429 with Retry-After, and tells its counts', async () => {
    const url = await serve(world(60_000, { quota: { kind: 'bucket', perSecond: 0.001, burst: 2, retryAfter: 3000 } }))
    const responses = [await fetch(`${url}/call`), await fetch(`${url}/call`), await fetch(`${url}/call`)]
    expect(responses.map(({ status }) => status)).toEqual([200, 200, 429])
    expect(responses[2]?.headers.get('retry-after')).toBe('3')
    const { phases, isOver } = await countsAt(url)
    expect(isOver).toBe(false)
    expect(phases).toMatchObject([{ attempts: 3, successes: 2, throttled: 1 }])
  })

  test('cuts connections in an outage by reset, and refuses beyond its queue', async () => {
    const cut = await serve(world(60_000, { outage: 'reset' }))
    await expect(fetch(`${cut}/call`)).rejects.toThrow()
    expect((await countsAt(cut)).phases).toMatchObject([{ attempts: 1, failed: 1 }])
    await child?.stop()
    const slow: Conditions['service'] = { kind: 'constant', meanMs: 2000 }
    const full = await serve(world(60_000, { servers: 1, queueLimit: 1, service: slow }))
    const statuses = (await Promise.all([1, 2, 3].map(() => fetch(`${full}/call`)))).map(({ status }) => status)
    expect(statuses.sort()).toEqual([200, 200, 503])
  })

  test('works on a call that its client gave up', async () => {
    const url = await serve(world(60_000, { servers: 1, service: { kind: 'constant', meanMs: 60_000 } }))
    const client = new AbortController()
    const call = fetch(`${url}/call`, { signal: client.signal })
    await expect.poll(() => countsAt(url)).toMatchObject({ inside: 1 })
    client.abort()
    await expect(call).rejects.toThrow()
    // The connection's end has to reach the server first.
    await expect.poll(() => countsAt(url)).toMatchObject({ inside: 1, phases: [{ attempts: 1, timeouts: 1 }] })
  })
})

describe('a run', () => {
  test('with Headgate: server, client and sink count the same', async () => {
    expect(existsSync(BUILT), 'run `npm run build` first').toBe(true)
    const { phases, clientPhases, written, givenUp } = await runOverHttp(world(1000, {}, {}), 'headgate', 1)
    expect(phases.map(({ name }) => name)).toEqual(['phase 0', 'phase 1'])
    const sum = (counts: typeof phases): number => counts.reduce((total, { successes }) => total + successes, 0)
    expect(sum(phases)).toBeGreaterThan(0)
    // What is answered at the very end may be counted on one side alone.
    expect(Math.abs(sum(phases) - sum(clientPhases))).toBeLessThan(100)
    expect(written).toBeGreaterThan(0)
    expect(givenUp).toBe(0)
  })

  test('with the naive client: what arrives is delivered', async () => {
    const scenario: Scenario = {
      ...world(1000, {}),
      timeoutMs: 5000,
      source: { kind: 'poisson', perSecond: 50 },
    }
    const { phases, written } = await runOverHttp(scenario, 'naive', 1)
    expect(written).toBeGreaterThan(0)
    expect(phases[0]?.successes).toBeGreaterThan(0)
  })
})
