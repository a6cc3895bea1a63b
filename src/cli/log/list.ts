/** `headgate log list`: the topics of a log, how much they hold, and how far back they reach. */

import type { Retention, TopicInfo } from '../../connectors/log/index.ts'
import { bytes, count, duration, UNKNOWN } from '../../console/terminal/figures.ts'
import { OUTPUT } from '../output.ts'
import { type LogOptions, withLog } from './open.ts'
import { formatTable } from './table.ts'

export interface ListOptions extends LogOptions {
  readonly json?: boolean
}

export function list(options: ListOptions): Promise<void> {
  return withLog(options, (log) => {
    const topics = log.topics()
    if (options.json) for (const topic of topics) OUTPUT.data(JSON.stringify(topic))
    else if (topics.length === 0) OUTPUT.say(`The log at ${options.path} has no topic yet.`)
    else OUTPUT.data(topicsTable(topics, Date.now()))
  })
}

function topicsTable(topics: readonly TopicInfo[], nowMs: number): string {
  return formatTable(
    [
      { name: 'topic' },
      { name: 'partitions', align: 'right' },
      { name: 'records', align: 'right' },
      { name: 'bytes', align: 'right' },
      { name: 'oldest', align: 'right' },
      { name: 'retention' },
    ],
    topics.map((topic) => [
      topic.name,
      count(topic.partitions.length),
      count(topic.records),
      bytes(topic.bytes),
      age(topic.oldestTimestampMs, nowMs),
      retention(topic.retention),
    ]),
  )
}

export function age(timestampMs: number | null, nowMs: number): string {
  return timestampMs === null ? UNKNOWN : duration(Math.max(0, nowMs - timestampMs))
}

function retention({ ageMs, bytes: size }: Retention): string {
  const limits = [ageMs === undefined ? null : duration(ageMs), size === undefined ? null : bytes(size)]
  return limits.filter((limit) => limit !== null).join(' or ') || 'for ever'
}
