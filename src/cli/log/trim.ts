/**
 * `headgate log trim`: deletes the oldest records of a topic. It warns of each group that had not consumed them: the
 * deletion is asked for and done, but never unnoticed.
 */

import type { Log } from '../../connectors/log/index.ts'
import { bytes, count } from '../../console/terminal/figures.ts'
import { formatCount } from '../../model/units.ts'
import { CliFailure } from '../failure.ts'
import { OUTPUT } from '../output.ts'
import { chosenPartitions, type LogOptions, withLog } from './open.ts'

export interface TrimOptions extends LogOptions {
  readonly beforeOffset?: number
  readonly olderThan?: number
  readonly bytes?: number
}

export function trim(topic: string, options: TrimOptions): Promise<void> {
  const { beforeOffset, olderThan, bytes: size } = options
  const given = [beforeOffset, olderThan, size].filter((rule) => rule !== undefined)
  if (given.length !== 1) {
    throw new CliFailure(given.length === 0 ? 'nothing says what to delete' : 'only one rule at a time', {
      advice: 'Give one of --before-offset, --older-than or --bytes.',
    })
  }
  return withLog(options, async (log) => {
    chosenPartitions(log, topic, undefined)
    const before = lags(log, topic)
    const beforeMs = olderThan === undefined ? undefined : Date.now() - olderThan
    const trimmed = await log.trim(topic, { beforeOffset, beforeMs, bytes: size })
    OUTPUT.say(`Deleted ${formatCount(trimmed.records, 'record')} (${bytes(trimmed.bytes)}) of ${topic}.`)
    for (const [group, lag] of lags(log, topic)) {
      const lost = (before.get(group) ?? lag) - lag
      if (lost > 0) OUTPUT.say(`Group ${group} had not consumed ${count(lost)} of them.`)
    }
  })
}

function lags(log: Log, topic: string): Map<string, number> {
  return new Map(
    log
      .groups()
      .filter((info) => info.topic === topic)
      .map(({ group, lag }) => [group, lag]),
  )
}
