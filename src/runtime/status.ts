/** Puts a status together: what the engine knows and what the meter saw. The sentence that sums it up comes last, from the doctor. */
import { placeName } from '../engine/place.ts'
import type { EngineSnapshot } from '../engine/snapshot.ts'
import type { PartitionBacklog } from '../model/connector.ts'
import type { HeadgateError } from '../model/errors.ts'
import type { ProcessStatus, SourceStatus, Status, WaitStatus } from '../model/status.ts'

/** What can be known of the process and the brokers from outside the engine. */
export interface Surroundings {
  backlog(source: number): {
    readonly records: number | null
    readonly oldestMs: number | null
    readonly partitions: readonly PartitionBacklog[]
    readonly arrived: SourceStatus['arrived']
  }
  memory(): Status['memory']
  /** Absent: nothing is known of other processes. */
  group?(): Status['group']
  process(): Omit<ProcessStatus, 'turnsMs'>
}

export interface StatusInput {
  readonly pipeline: string
  readonly state: Status['state']
  readonly error: HeadgateError | null
  readonly startedAtMs: number
  readonly nowMs: number
  readonly snapshot: EngineSnapshot
  readonly meter: Surroundings
  /** Spent in the engine's turns so far. */
  readonly turnsMs: number
}

export function makeStatus({
  pipeline,
  state,
  error,
  startedAtMs,
  nowMs,
  snapshot,
  meter,
  turnsMs,
}: StatusInput): Status {
  const perSecond = snapshot.completionPerSecond ?? 0
  const waitingSinceMs: number[] = []
  const sources: SourceStatus[] = snapshot.sources.map(({ oldestUncommittedMs, ...source }, index) => {
    const { records, oldestMs, partitions, arrived } = meter.backlog(index)
    const waiting = new Map(partitions.map((backlog) => [backlog.partition, backlog]))
    if (oldestMs !== null) waitingSinceMs.push(oldestMs)
    const uncommittedSinceMs = earlier(oldestUncommittedMs, oldestMs)
    return {
      ...source,
      backlogRecords: records,
      arrived,
      backlogAgeMs: uncommittedSinceMs === null ? null : Math.max(0, nowMs - uncommittedSinceMs),
      byPartition: source.byPartition.map((partition) => {
        const backlog = waiting.get(partition.name)
        return {
          ...partition,
          oldestUncommittedMs: earlier(partition.oldestUncommittedMs, backlog?.oldestTimestampMs ?? null),
          backlogRecords: backlog?.records ?? null,
        }
      }),
    }
  })
  const backlogs: WaitStatus[] = sources.map(({ name, backlogRecords: records }) => ({
    name: placeName(name, 'backlog'),
    kind: 'backlog',
    owner: name,
    records,
    bytes: records === 0 ? 0 : null,
    seconds: records === 0 ? 0 : records !== null && perSecond > 0 ? records / perSecond : null,
    limitRecords: null,
  }))
  const ages = waitingSinceMs.map((sinceMs) => nowMs - sinceMs)
  if (snapshot.oldestOpenMs !== null) ages.push(nowMs - snapshot.oldestOpenMs)
  return {
    schema: 1,
    pipeline,
    state,
    error: error && { code: error.code, message: error.message },
    startedAtMs,
    nowMs,
    records: snapshot.records,
    completionPerSecond: perSecond,
    latencyMs: snapshot.latencyMs,
    latencyTotalMs: snapshot.latencyTotalMs,
    queueAgeMs: Math.max(0, ...ages),
    admission: snapshot.admission,
    places: [...backlogs, ...snapshot.places],
    sources,
    stages: snapshot.stages,
    group: meter.group?.() ?? { members: null, mostMembers: null },
    checks: snapshot.checks,
    process: { ...meter.process(), turnsMs },
    lastFailures: snapshot.lastFailures,
    hotKeys: snapshot.hotKeys,
    memory: meter.memory(),
    verdict: '',
  }
}

/** Of two timestamps; one that is missing, or that a record does not have, counts for nothing. */
function earlier(one: number | null, other: number | null): number | null {
  const known = [one, other].filter((sinceMs) => sinceMs !== null && sinceMs >= 0) as number[]
  return known.length > 0 ? Math.min(...known) : null
}
