/** The same figures through OpenTelemetry's own SDK: names, units, attributes, and quantiles of what ended between two collections. */

import { setTimeout as sleep } from 'node:timers/promises'
import * as api from '@opentelemetry/api'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { pipeline, type Status } from 'headgate'
import { memory } from 'headgate/memory'
import { observe } from 'headgate/telemetry'
import { expect, onTestFinished, test } from 'vitest'
import { FAMILIES } from '../../src/telemetry/families.ts'
import { instrumentName } from '../../src/telemetry/observe.ts'
import type { OtelApi } from '../../src/telemetry/otel-api.ts'

interface Point {
  readonly value: unknown
  readonly attributes: Readonly<Record<string, unknown>>
}

function collector() {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })
  const provider = new MeterProvider({ readers: [reader] })
  onTestFinished(() => provider.shutdown())
  const collect = async (): Promise<Map<string, { unit: string; points: Point[] }>> => {
    exporter.reset()
    await provider.forceFlush()
    const metrics = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics))
    return new Map(
      metrics.map(({ descriptor, dataPoints }) => [
        descriptor.name,
        { unit: descriptor.unit, points: dataPoints.map(({ value, attributes }) => ({ value, attributes })) },
      ]),
    )
  }
  return { meter: provider.getMeter('test'), collect }
}

const startOrders = (delayMs: () => number) =>
  pipeline('orders')
    .from(memory.source(Array.from({ length: 100_000 }, (_, n) => n)))
    .call('enrich', (n) => sleep(delayMs(), n), { concurrency: 4 })
    .to(memory.sink({ keep: false }))
    .start()

test('every figure of the table that is known is collected, with its unit', async () => {
  const running = await startOrders(() => 1)
  onTestFinished(async () => void (await running.stop()))
  const { meter, collect } = collector()
  let looks = 0
  const status = (): Status => {
    looks += 1
    return running.status()
  }
  const observed = observe(
    { status, diagnose: () => running.diagnose(), latencies: () => running.latencies() },
    { meter },
  )
  while (running.status().records.out < 50) await sleep(5)
  const found = await collect()
  const known = FAMILIES.map(instrumentName)
  for (const name of found.keys()) expect(known).toContain(name)
  expect(found.get('headgate.stage_state_seconds')?.unit).toBe('s')
  expect(found.get('headgate.process_resident_bytes')?.unit).toBe('By')
  const states = found.get('headgate.stage_state_seconds')?.points ?? []
  const awaiting = states.find(({ attributes }) => attributes['stage'] === 'enrich' && attributes['state'] === 'AWAIT')
  expect(awaiting?.attributes['pipeline']).toBe('orders')
  expect(awaiting?.value).toBeGreaterThan(0)
  const health = found.get('headgate.health')?.points ?? []
  expect(health.filter(({ value }) => value === 1)).toHaveLength(1)
  expect(looks).toBe(1)
  observed.stop()
  await collect()
  expect(looks).toBe(1)
})

test('a quantile is of what ended since the last collection', async () => {
  let delayMs = 1
  const running = await startOrders(() => delayMs)
  onTestFinished(async () => void (await running.stop()))
  const { meter, collect } = collector()
  observe(running, { meter })
  const median = async (): Promise<number> => {
    const { points = [] } = (await collect()).get('headgate.stage_attempt_latency_quantile_seconds') ?? {}
    const found = points.find(({ attributes }) => attributes['stage'] === 'enrich' && attributes['quantile'] === '0.5')
    return found?.value as number
  }
  while (running.status().records.out < 500) await sleep(5)
  await median()
  delayMs = 300
  const before = running.status().records.out
  while (running.status().records.out < before + 8) await sleep(10)
  // What was already under way when it changed ends fast; after that nothing does.
  await median()
  const later = running.status().records.out
  while (running.status().records.out < later + 4) await sleep(10)
  expect(await median()).toBeGreaterThan(0.25)
})

test('the shapes that are written out are those of the real API', () => {
  const real: OtelApi = api
  expect(real.trace.getTracer('x')).toBeDefined()
})
