/** The figures as a scraper reads them: valid text, units in names, few label values, and the same as the status says. */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { pipeline } from 'headgate'
import { memory } from 'headgate/memory'
import { expect, onTestFinished, test } from 'vitest'
import { Histogram, type Latencies } from '../../src/engine/histogram.ts'
import { FAMILIES } from '../../src/telemetry/families.ts'
import { BOUNDS_MS, exposition } from '../../src/telemetry/prometheus.ts'
import { metricsReference } from '../../src/telemetry/reference.ts'
import { sampleDiagnosis } from '../console/sample-diagnosis.ts'
import { sampleLimiter, sampleStatus } from '../console/sample-status.ts'
import { readExposition, type Series } from './exposition.ts'

const EMPTY: Latencies = { flow: new Histogram().copy(), stages: {} }

function find({ series }: { series: readonly Series[] }, name: string, labels: Record<string, string> = {}): number {
  const found = series.filter(
    (each) => each.name === name && Object.entries(labels).every(([label, value]) => each.labels[label] === value),
  )
  expect(found, name).toHaveLength(1)
  return (found[0] as Series).value
}

test('names carry their unit, and counters end in _total', () => {
  for (const { name, type } of FAMILIES) {
    expect(name).toMatch(/^headgate_[a-z0-9_]+$/)
    if (type === 'counter')
      expect(name).toMatch(
        /_(records_in|records_out|records_settled|seconds|attempts|attempts_ended|first_attempts|commits|commit_failures)_total$/,
      )
    else expect(name).not.toMatch(/_total$/)
    if (type === 'histogram') expect(name).toMatch(/_seconds$/)
    expect(name).not.toMatch(/_ms(_|$)/)
  }
  expect(new Set(FAMILIES.map(({ name }) => name)).size).toBe(FAMILIES.length)
})

test('docs/metrics.md is what the table says', () => {
  const written = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8')
  expect(written, 'run: npx tsx scripts/metrics-reference.ts').toBe(metricsReference())
})

test('every series belongs to a family of the table, with exactly its labels', () => {
  const exposed = readExposition(exposition(sampleStatus(60), sampleDiagnosis(), EMPTY))
  for (const { name, labels } of exposed.series) {
    const family = FAMILIES.find(
      (each) =>
        name === each.name || (each.type === 'histogram' && name.replace(/_(bucket|sum|count)$/, '') === each.name),
    )
    expect(family, name).toBeDefined()
    const expected = ['pipeline', ...(family?.labels ?? []), ...(name.endsWith('_bucket') ? ['le'] : [])]
    expect(Object.keys(labels).toSorted()).toEqual(expected.toSorted())
    expect(exposed.types.get(family?.name ?? '')).toBe(family?.type)
    expect(exposed.helps.get(family?.name ?? '')).toBe(family?.help)
  }
  const names = new Set(exposed.series.map((each) => JSON.stringify([each.name, each.labels])))
  expect(names.size).toBe(exposed.series.length)
})

test('figures are those of the status and of the diagnosis', () => {
  const status = sampleStatus(60)
  const diagnosis = sampleDiagnosis()
  const exposed = readExposition(exposition(status, diagnosis, EMPTY))
  const fraud = status.stages.find(({ name }) => name === 'fraud')
  expect(find(exposed, 'headgate_records_settled_total', { fate: 'filtered' })).toBe(status.records.filtered)
  expect(find(exposed, 'headgate_stage_state_seconds_total', { stage: 'fraud', state: 'AWAIT' })).toBe(
    fraud?.states.AWAIT,
  )
  expect(find(exposed, 'headgate_stage_attempts_ended_total', { stage: 'fraud', outcome: 'refused' })).toBe(
    fraud?.rejected429,
  )
  expect(find(exposed, 'headgate_queue_age_seconds')).toBe(status.queueAgeMs / 1000)
  expect(find(exposed, 'headgate_health', { health: diagnosis.health.kind })).toBe(1)
  const healthy = exposed.series.filter(({ name, value }) => name === 'headgate_health' && value === 1)
  expect(healthy).toHaveLength(1)
  const { verdict } = diagnosis
  const bottleneck = { stage: verdict.bottleneck ?? '', cause: verdict.kind }
  expect(find(exposed, 'headgate_bottleneck', bottleneck)).toBe(verdict.confidence)
})

test('what is unknown is absent, never 0', () => {
  const status = sampleStatus(60)
  status.sources[0]!.backlogRecords = null
  status.sources[0]!.backlogAgeMs = null
  const { series } = readExposition(exposition(status, sampleDiagnosis(), EMPTY))
  expect(series.map(({ name }) => name)).not.toContain('headgate_source_backlog_records')
  expect(series.map(({ name }) => name)).not.toContain('headgate_source_backlog_age_seconds')
})

test('no name can break out of its label', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('"', '\\', '\n', '}', ' ', '#', 'a', 'é', '{', ',') }), (name) => {
      const status = sampleStatus(10)
      status.pipeline = name
      status.stages[1]!.name = `${name}!`
      const exposed = readExposition(exposition(status, sampleDiagnosis(), EMPTY))
      expect(exposed.series.every(({ labels }) => labels['pipeline'] === name)).toBe(true)
      expect(find(exposed, 'headgate_stage_limit', { stage: `${name}!` })).toBe(64)
    }),
    { numRuns: 50 },
  )
})

test('tenants and keys are no labels, however many there are', () => {
  const [status, other] = [sampleStatus(10), sampleStatus(10)]
  const tenants = Array.from({ length: 8 }, (_, index) => ({ ...sampleLimiter(), key: `tenant-${index}` }))
  other.stages[1]!.limiters = tenants
  status.stages[1]!.limiters = tenants.slice(0, 1)
  const counts = [status, other].map((each) => exposition(each, sampleDiagnosis(), EMPTY))
  expect(readExposition(counts[1] as string).series.length).toBe(readExposition(counts[0] as string).series.length)
  expect(counts[1]).not.toContain('tenant-')
})

test('histograms are cumulative, and nothing falls between two scrapes of a pipeline that runs', async () => {
  const running = await pipeline('orders')
    .from(memory.source(Array.from({ length: 400 }, (_, n) => n)))
    .call('enrich', (n) => sleep(2, n), { concurrency: 4 })
    .to(memory.sink())
    .start()
  onTestFinished(async () => void (await running.stop()))
  const scrape = () => readExposition(exposition(running.status(), sampleDiagnosis(), running.latencies()))
  let before = scrape()
  for (let turn = 0; turn < 20; turn += 1) {
    await sleep(5)
    const now = scrape()
    for (const { name, labels, value } of before.series) {
      const monotonic = /_(total|bucket|count|sum)$/.test(name)
      if (monotonic) expect(find(now, name, labels), name).toBeGreaterThanOrEqual(value)
    }
    before = now
  }
  const last = await running.done
  const exposed = scrape()
  const buckets = exposed.series.filter(
    ({ name, labels }) => name === 'headgate_stage_attempt_latency_seconds_bucket' && labels['stage'] === 'enrich',
  )
  expect(buckets).toHaveLength(BOUNDS_MS.length + 1)
  expect(buckets.map(({ value }) => value)).toEqual(buckets.map(({ value }) => value).toSorted((a, b) => a - b))
  expect(buckets.at(-1)).toMatchObject({ labels: { le: '+Inf' }, value: 400 })
  expect(find(exposed, 'headgate_record_latency_seconds_count')).toBe(last.records.out)
  // Calls that take 2 ms are not below 1 ms, and the sum is at least theirs.
  expect(buckets[0]).toMatchObject({ labels: { le: '0.001' }, value: 0 })
  expect(find(exposed, 'headgate_stage_attempt_latency_seconds_sum', { stage: 'enrich' })).toBeGreaterThan(0.4)
})
