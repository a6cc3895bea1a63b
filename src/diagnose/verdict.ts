/** `status().verdict`: one plain sentence. While a pipeline runs it is the doctor's; of one that is over it says how it ended. */
import type { Diagnosis } from '../model/diagnosis.ts'
import type { Status } from '../model/status.ts'
import { formatCount, formatDuration } from '../model/units.ts'
import { completed } from './window.ts'

type Said = Pick<Diagnosis, 'health' | 'verdict'>

/** `said`: what the doctor says; null when it has not seen enough. */
export function verdictOf(status: Status, said: Said | null): string {
  const { state, error, records } = status
  if (error !== null) return `Failed: ${error.message}`
  if (state === 'stopped')
    return `Finished: ${completed(status)} of ${formatCount(records.in, 'record')} completed, ${records.returned} returned uncommitted.`
  if (said === null || said.health.kind === 'starting') return 'Starting: too little has been seen to say more.'
  const { health, verdict } = said
  if (verdict.kind === 'none' || state === 'paused' || state === 'draining') return health.sentence
  return `${verdict.sentence}${waits(status)}`
}

function waits({ sources, completionPerSecond }: Status): string {
  const backlog = sources.reduce((sum, { backlogRecords }) => sum + (backlogRecords ?? 0), 0)
  if (backlog === 0) return ''
  const work = completionPerSecond > 0 ? ` (${formatDuration((backlog / completionPerSecond) * 1000)} of work)` : ''
  return ` ${formatCount(backlog, 'record')} ${backlog === 1 ? 'waits' : 'wait'} in the source${work}.`
}
