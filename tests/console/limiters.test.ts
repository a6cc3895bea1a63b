/** What the terminal view says of limits that are found and not set. */
import { expect, test } from 'vitest'
import { History } from '../../src/console/terminal/history.ts'
import { limiterLines } from '../../src/console/terminal/limiters.ts'
import { renderView } from '../../src/console/terminal/render.ts'
import type { LimiterStatus, Status } from '../../src/model/status.ts'
import { sampleLimiter, sampleStatus } from './sample-status.ts'

function limited(...limiters: LimiterStatus[]): Status {
  const status = sampleStatus(70)
  const stages = status.stages.map((stage) => (stage.kind === 'call' ? { ...stage, limiters } : stage))
  return { ...status, stages }
}

const lines = (status: Status, width = 120): string[] =>
  limiterLines(status, width).map((line) => line.map(({ text }) => text).join(''))

test.each([
  [{}, 'limit    fraud 37 at once (holding) · a call takes 52ms, 48ms alone'],
  [{ phase: 'slow-start', baselineMs: null, latencyMs: null, limit: 1 }, 'limit    fraud 1 at once (climbing)'],
  [
    { gate: 'quota', ratePerSecond: 330 },
    'limit    fraud 37 at once (holding) · a call takes 52ms, 48ms alone · quota 330/s',
  ],
  [
    { gate: 'retry-after', gateUntilMs: 1_072_000 },
    'limit    fraud 37 at once (holding) · a call takes 52ms, 48ms alone · closed 2.0s: Retry-After',
  ],
  [
    { gate: 'breaker', breaker: 'open' as const, gateUntilMs: null, latencyMs: null },
    'limit    fraud 37 at once (holding), 48ms alone · closed: the downstream is down',
  ],
])('a limiter with %o', (given, said) => {
  expect(lines(limited(sampleLimiter(given)))).toEqual([said])
})

test('a limit that was set has no line, tenants have one each, and no line is wider than the terminal', () => {
  expect(lines(limited(sampleLimiter({ phase: 'fixed' })))).toEqual([])
  const tenants = Array.from({ length: 8 }, (_, index) => sampleLimiter({ key: `tenant-${index}` }))
  expect(lines(limited(...tenants))).toHaveLength(4)
  expect(lines(limited(...tenants))[0]).toContain('fraud tenant-0 37 at once')
  for (const line of lines(limited(...tenants), 40)) expect(line.length).toBeLessThanOrEqual(40)
})

test('the view shows it', () => {
  const view = renderView(limited(sampleLimiter()), { columns: 100, colour: false, history: new History() })
  expect(view).toContain(' limit    fraud 37 at once (holding)')
})
