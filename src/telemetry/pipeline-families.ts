/** The figures of the pipeline as a whole: records, health and verdict, the gate and where work waits, the process. */
import { HEALTH_KINDS } from '../model/diagnosis.ts'
import type { Status } from '../model/status.ts'
import { counter, each, type Family, gauge, histogram, known, one, oneOf, type Point, seconds } from './family.ts'

const STATES: readonly Status['state'][] = ['starting', 'running', 'paused', 'draining', 'stopped', 'failed']
const ADMISSION_REASONS = ['open', 'records', 'bytes', 'residence', 'heap'] as const

export const PIPELINE_FAMILIES: readonly Family[] = [
  // ── The pipeline ───────────────────────────────────────────────────────
  gauge('headgate_start_time_seconds', 'When the pipeline started, in seconds since the Unix epoch.', ({ status }) =>
    one(status.startedAtMs / 1000),
  ),
  gauge(
    'headgate_state',
    '1 for the state that the pipeline is in, 0 for the others.',
    oneOf('state', STATES, ({ status }) => status.state),
  ),
  counter('headgate_records_in_total', 'Records delivered by the sources.', ({ status }) => one(status.records.in)),
  counter(
    'headgate_records_settled_total',
    'Records that have ended, by how: written (out), filtered, dead_lettered, skipped, or returned uncommitted.',
    ({ status: { records } }) =>
      each('fate', {
        out: records.out,
        filtered: records.filtered,
        dead_lettered: records.deadLettered,
        skipped: records.skipped,
        returned: records.returned,
      }),
    ['fate'],
  ),
  gauge('headgate_records_in_flight', 'Records delivered and not settled yet.', ({ status }) =>
    one(status.records.inFlight),
  ),
  histogram('headgate_record_latency_seconds', "From the source's timestamp to completion.", ({ latencies }) => [
    [{}, latencies.flow],
  ]),
  gauge(
    'headgate_queue_age_seconds',
    'Age of the oldest record that is not completed, in flight or in the broker.',
    ({ status }) => one(status.queueAgeMs / 1000),
  ),
  // ── Health and verdict ─────────────────────────────────────────────────
  gauge(
    'headgate_health',
    '1 for the health that the doctor sees, 0 for the others: a throttled pipeline is not a storm, and a burst is not an overload.',
    oneOf('health', HEALTH_KINDS, ({ diagnosis }) => diagnosis.health.kind),
  ),
  gauge(
    'headgate_falling_behind',
    '1 when a throttled pipeline is sent more than its limit lets through.',
    ({ diagnosis }) => one(diagnosis.health.fallingBehind ? 1 : 0),
  ),
  gauge(
    'headgate_bottleneck',
    'The confidence, 0 to 1, that this stage or source holds the pipeline back, and for this cause. `stage` is empty when it is the process, or nothing.',
    ({ diagnosis: { verdict } }) => [[{ stage: verdict.bottleneck ?? '', cause: verdict.kind }, verdict.confidence]],
    ['stage', 'cause'],
  ),
  gauge(
    'headgate_capacity_records_per_second',
    'The most that the bottleneck lets through; absent while it is not known.',
    ({ diagnosis }) => known(diagnosis.flow.capacityPerSecond),
  ),
  gauge(
    'headgate_drain_eta_seconds',
    'Until the backlog is gone, as a range; absent unless it shrinks.',
    ({ diagnosis: { health } }) =>
      health.etaMs === null ? [] : each('bound', { low: health.etaMs.low / 1000, high: health.etaMs.high / 1000 }),
    ['bound'],
  ),
  gauge(
    'headgate_breach_seconds',
    'Until the oldest record is older than promised, or lost to retention; absent when neither comes near.',
    ({ diagnosis }) => known(seconds(diagnosis.health.breachMs)),
  ),
  // ── The gate, and where work waits ─────────────────────────────────────
  gauge('headgate_admission_records', 'Records in flight and held by clients.', ({ status }) =>
    one(status.admission.records),
  ),
  gauge('headgate_admission_limit_records', 'Records that the gate allows now.', ({ status }) =>
    one(status.admission.limitRecords),
  ),
  gauge('headgate_admission_bytes', 'Bytes in flight and held by clients.', ({ status }) =>
    one(status.admission.bytes),
  ),
  gauge('headgate_admission_limit_bytes', 'Bytes that the gate allows.', ({ status }) =>
    one(status.admission.limitBytes),
  ),
  gauge(
    'headgate_admission_reason',
    '1 for what bounds the gate now, 0 for the others.',
    oneOf('reason', ADMISSION_REASONS, ({ status }) => status.admission.reason),
  ),
  gauge(
    'headgate_place_records',
    'Records at a place where work can wait; absent when the broker cannot tell.',
    ({ status }) => places(status, 'records'),
    ['place'],
  ),
  gauge('headgate_place_bytes', 'Their bytes; absent when unknown.', ({ status }) => places(status, 'bytes'), [
    'place',
  ]),
  gauge(
    'headgate_place_seconds',
    'How long the place takes to empty at the present rate; absent while nothing completes.',
    ({ status }) => places(status, 'seconds'),
    ['place'],
  ),
  // ── The process ────────────────────────────────────────────────────────
  counter(
    'headgate_process_loop_active_seconds_total',
    'Time in which the event loop had something to do.',
    ({ status }) => one(status.process.loopActiveMs / 1000),
  ),
  counter('headgate_process_gc_seconds_total', 'Time in garbage collection.', ({ status }) =>
    one(status.process.gcMs / 1000),
  ),
  counter(
    'headgate_process_cpu_seconds_total',
    'CPU time of the thread, or of the whole process where the platform does not tell them apart.',
    ({ status }) => known(seconds(status.process.cpuMs)),
  ),
  gauge('headgate_process_heap_used_bytes', 'Heap in use.', ({ status }) => one(status.process.heapUsedBytes)),
  gauge('headgate_process_heap_limit_bytes', 'The most that the heap may have.', ({ status }) =>
    one(status.process.heapLimitBytes),
  ),
  gauge('headgate_process_resident_bytes', 'Resident memory of the process.', ({ status }) =>
    one(status.process.rssBytes),
  ),
  // ── Autoscaling and self-checks ────────────────────────────────────────
  gauge(
    'headgate_autoscale_replicas',
    'Processes: that run (current), that there should be (desired), that arrivals and backlog call for (need), and beyond which more would not help (cap).',
    ({ diagnosis: { autoscale } }) =>
      each('figure', {
        current: autoscale.current,
        desired: autoscale.desired,
        need: autoscale.need,
        cap: autoscale.cap,
      }),
    ['figure'],
  ),
  gauge(
    'headgate_self_check_error_ratio',
    "How far the meter's two ways to one figure are apart: slot time by state (states) and Little's law (little). Above 0.01 and 0.05 it is a defect.",
    ({ status: { checks } }) => each('check', { states: checks.statesError, little: checks.littleError }),
    ['check'],
  ),
]

function places({ places: all }: Status, figure: 'records' | 'bytes' | 'seconds'): Point[] {
  return all.flatMap((place) => known(place[figure], { place: place.name }))
}
