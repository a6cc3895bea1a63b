/**
 * `headgate log groups`: how far each consumer group is, who consumes it now, and how far it is behind; or, with
 * `--reset`, moves one. A running pipeline is not lost by a reset: it drops what it has in flight and goes on from the
 * new place.
 */
import type { GroupInfo, Log } from '../../connectors/log/index.ts'
import { count, duration } from '../../console/terminal/figures.ts'
import { CliFailure } from '../failure.ts'
import { OUTPUT } from '../output.ts'
import type { Start } from '../values.ts'
import { age } from './list.ts'
import { chosenPartitions, type LogOptions, withLog } from './open.ts'
import { formatTable } from './table.ts'

export interface GroupsOptions extends LogOptions {
  readonly group?: string
  readonly topic?: string
  readonly reset?: Start
  readonly partition?: number
  readonly json?: boolean
}

export function groups(options: GroupsOptions): Promise<void> {
  if (options.reset === undefined && options.partition !== undefined) {
    throw new CliFailure('--partition belongs to --reset', {
      advice: 'Leave it out to see all partitions with --json.',
    })
  }
  return withLog(options, async (log) => {
    if (options.reset !== undefined) await reset(log, options, options.reset)
    show(chosen(log, options), options)
  })
}

function chosen(log: Log, { group, topic }: GroupsOptions): GroupInfo[] {
  return log.groups().filter((info) => (group ?? info.group) === info.group && (topic ?? info.topic) === info.topic)
}

async function reset(log: Log, options: GroupsOptions, to: Start): Promise<void> {
  const { group, topic, partition } = options
  if (group === undefined || topic === undefined) {
    throw new CliFailure('--reset needs --group and --topic', {
      advice: 'For example: --group enrichers --topic payments --reset earliest',
    })
  }
  chosenPartitions(log, topic, partition)
  const [before] = chosen(log, options)
  if (!before) {
    const known = [...new Set(log.groups().map((info) => `${info.group} on ${info.topic}`))]
    throw new CliFailure(`there is no group '${group}' on topic '${topic}'`, {
      advice: known.length > 0 ? `There are: ${known.join(', ')}.` : 'No group has consumed from this log yet.',
    })
  }
  await log.seek(group, topic, to, partition === undefined ? {} : { partition })
  const where = partition === undefined ? topic : `${topic}/${partition}`
  const place = typeof to === 'number' ? `offset ${to}` : to
  OUTPUT.say(`Moved group ${group} on ${where} to ${place}.`)
  if (before.owner) {
    OUTPUT.say(`It is being consumed by pid ${before.owner.pid} on ${before.owner.hostname}, which goes on from there.`)
  }
}

function show(found: readonly GroupInfo[], { json, path, ...only }: GroupsOptions): void {
  if (json) {
    for (const { group, topic, owner, partitions } of found) {
      for (const partition of partitions) OUTPUT.data(JSON.stringify({ group, topic, ...partition, owner }))
    }
  } else if (found.length === 0) {
    const which = only.group === undefined && only.topic === undefined ? 'No group' : 'No such group'
    OUTPUT.say(`${which} has consumed from the log at ${path} yet.`)
  } else OUTPUT.data(groupsTable(found, Date.now()))
}

function groupsTable(found: readonly GroupInfo[], nowMs: number): string {
  return formatTable(
    [
      { name: 'group' },
      { name: 'topic' },
      { name: 'partitions', align: 'right' },
      { name: 'lag', align: 'right' },
      { name: 'behind by', align: 'right' },
      { name: 'last commit', align: 'right' },
      { name: 'consumed by' },
    ],
    found.map(({ group, topic, partitions, lag, oldestTimestampMs, owner }) => [
      group,
      topic,
      count(partitions.length),
      count(lag),
      lag === 0 ? '0s' : age(oldestTimestampMs, nowMs),
      `${duration(nowMs - Math.max(...partitions.map(({ updatedAtMs }) => updatedAtMs)))} ago`,
      owner ? `pid ${owner.pid} on ${owner.hostname}` : 'nobody',
    ]),
  )
}
