/** The figures of each stage and of its limiters. Limiters are counted, not listed: their keys are tenants. */
import { SLOT_STATES, type StageStatus, type Status } from '../model/status.ts'
import { counter, each, type Family, type Figures, gauge, histogram, known, type Point } from './family.ts'

export function stageFamilies(): Family[] {
  const labels = ['stage']
  const read =
    (value: (stage: StageStatus) => number | null) =>
    ({ status }: Figures): Point[] =>
      status.stages.flatMap((stage) => known(value(stage), { stage: stage.name }))
  const ofSlots =
    (value: (stage: StageStatus) => number | null) =>
    ({ status }: Figures): Point[] =>
      status.stages.filter(hasSlots).flatMap((stage) => known(value(stage), { stage: stage.name }))
  return [
    counter(
      'headgate_stage_records_in_total',
      'Records that entered the stage.',
      read((stage) => stage.in),
      labels,
    ),
    counter(
      'headgate_stage_records_out_total',
      'Records that left it for the next one.',
      read((stage) => stage.out),
      labels,
    ),
    counter(
      'headgate_stage_first_attempts_total',
      'First attempts.',
      ofSlots((stage) => stage.first),
      labels,
    ),
    counter(
      'headgate_stage_attempts_total',
      'Attempts, the first ones included.',
      ofSlots((stage) => stage.attempts),
      labels,
    ),
    counter(
      'headgate_stage_attempts_ended_total',
      'Attempts by outcome: ok, refused (429 and its kin), failed, or timeout.',
      ({ status }) =>
        status.stages
          .filter(hasSlots)
          .flatMap(({ name, ok, rejected429, failed, timeouts }) =>
            each('outcome', { ok, refused: rejected429, failed, timeout: timeouts }, { stage: name }),
          ),
      ['stage', 'outcome'],
    ),
    gauge(
      'headgate_stage_in_flight',
      'Calls or writes in progress.',
      ofSlots((stage) => stage.inFlight),
      labels,
    ),
    gauge(
      'headgate_stage_limit',
      'Slots: calls or writes that may be in progress.',
      ofSlots((stage) => stage.limit),
      labels,
    ),
    counter(
      'headgate_stage_state_seconds_total',
      `Slot-seconds by what the slots did: ${SLOT_STATES.join(', ')}.`,
      ({ status }) =>
        status.stages
          .filter(hasSlots)
          .flatMap(({ name, states }) => SLOT_STATES.map((state): Point => [{ stage: name, state }, states[state]])),
      ['stage', 'state'],
    ),
    counter(
      'headgate_stage_reason_seconds_total',
      'Seconds by why the stage started nothing more: the names of its guards.',
      ({ status }) =>
        status.stages.flatMap(({ name, reasonSeconds }) => each('reason', reasonSeconds, { stage: name })),
      ['stage', 'reason'],
    ),
    counter(
      'headgate_stage_cpu_seconds_total',
      'Time on the thread for starting its attempts or writes.',
      ofSlots((stage) => stage.durations.cpuMs / 1000),
      labels,
    ),
    histogram(
      'headgate_stage_attempt_latency_seconds',
      'How long attempts or writes took.',
      ({ latencies }) => Object.entries(latencies.stages).map(([stage, counts]) => [{ stage }, counts] as const),
      labels,
    ),
    // ── Limiters ───────────────────────────────────────────────────────────
    gauge(
      'headgate_limiter_closed',
      'Limiters of a call stage that are closed, by why: retry-after, breaker, concurrency or quota.',
      ({ status }) => status.stages.filter(isCall).flatMap((stage) => closed(stage)),
      ['stage', 'gate'],
    ),
    gauge(
      'headgate_limiter_breakers_open',
      'Limiters whose breaker is open: their downstream is taken to be down.',
      ({ status }) =>
        status.stages
          .filter(isCall)
          .map(({ name, limiters }) => [
            { stage: name },
            limiters.filter(({ breaker }) => breaker !== 'closed').length,
          ]),
      ['stage'],
    ),
    gauge(
      'headgate_limiter_quota_per_second',
      'Calls a second that the quota grants, found or stated by the downstream; absent without one.',
      ({ status }) => limiters(status, 'ratePerSecond', 1),
      ['stage'],
    ),
    gauge(
      'headgate_limiter_baseline_seconds',
      'What a call takes when nothing queues in the downstream.',
      ({ status }) => limiters(status, 'baselineMs', 1000),
      ['stage'],
    ),
  ]
}

function hasSlots({ limit }: StageStatus): boolean {
  return limit !== null
}

function isCall({ kind }: StageStatus): boolean {
  return kind === 'call'
}

function closed({ name, limiters: all }: StageStatus): Point[] {
  const gates = ['retry-after', 'breaker', 'concurrency', 'quota']
  return gates.map((gate) => [{ stage: name, gate }, all.filter((limiter) => limiter.gate === gate).length])
}

/** Of stages with one limiter: those with one for each tenant would need the tenant as a label. */
function limiters({ stages }: Status, figure: 'ratePerSecond' | 'baselineMs', divisor: number): Point[] {
  return stages.flatMap(({ name, limiters: [only] }) => {
    const value = only?.key === null ? only[figure] : null
    return known(value === null ? null : value / divisor, { stage: name })
  })
}
