/** The figures of each source, and of its partitions up to a bound. */
import { LANE_STATES, type Status } from '../model/status.ts'
import { counter, type Family, type Figures, gauge, known, type Point, seconds } from './family.ts'

const MOST_PARTITIONS = 256

export function sourceFamilies(): Family[] {
  const labels = ['source']
  const read =
    (value: (source: Status['sources'][number]) => number | null) =>
    ({ status }: Figures): Point[] =>
      status.sources.flatMap((source) => known(value(source), { source: source.name }))
  return [
    gauge(
      'headgate_source_backlog_records',
      'Records in the broker, not yet delivered; absent when it cannot tell.',
      read((source) => source.backlogRecords),
      labels,
    ),
    gauge(
      'headgate_source_backlog_age_seconds',
      'Age of the oldest record that is not committed, delivered or in the broker; absent when there is none or it is unknown.',
      read((source) => seconds(source.backlogAgeMs)),
      labels,
    ),
    gauge(
      'headgate_source_held_records',
      'Records that the client library holds.',
      read((source) => source.heldRecords),
      labels,
    ),
    gauge(
      'headgate_source_partitions',
      'Partitions that are assigned to this process.',
      read((source) => source.partitions),
      labels,
    ),
    gauge(
      'headgate_source_uncommitted_records',
      'Records completed and not yet committed.',
      read((source) => source.uncommittedRecords),
      labels,
    ),
    counter(
      'headgate_source_commits_total',
      'Commits that succeeded.',
      read((source) => source.commits),
      labels,
    ),
    counter(
      'headgate_source_commit_failures_total',
      'Commits that failed.',
      read((source) => source.commitFailures),
      labels,
    ),
    counter(
      'headgate_source_state_seconds_total',
      `What the source's lane did: ${LANE_STATES.join(', ')}.`,
      ({ status }) =>
        status.sources.flatMap(({ name, states }) =>
          LANE_STATES.map((state): Point => [{ source: name, state }, states[state]]),
        ),
      ['source', 'state'],
    ),
    gauge(
      'headgate_partition_backlog_records',
      `Records in the broker by partition; the first ${MOST_PARTITIONS} of a source.`,
      ({ status }) =>
        status.sources.flatMap(({ name, byPartition }) =>
          byPartition
            .slice(0, MOST_PARTITIONS)
            .flatMap((partition) => known(partition.backlogRecords, { source: name, partition: partition.name })),
        ),
      ['source', 'partition'],
    ),
    gauge(
      'headgate_partition_backlog_age_seconds',
      `Age of the oldest record that is not committed, by partition; the first ${MOST_PARTITIONS} of a source.`,
      ({ status: { nowMs, sources } }) =>
        sources.flatMap(({ name, byPartition }) =>
          byPartition.slice(0, MOST_PARTITIONS).flatMap(({ name: partition, oldestUncommittedMs: sinceMs }) => {
            const ageMs = sinceMs === null ? null : Math.max(0, nowMs - sinceMs)
            return known(seconds(ageMs), { source: name, partition })
          }),
        ),
      ['source', 'partition'],
    ),
  ]
}
