/** What a drain waits for at a stage, in words; null when nothing. `reason`: why what waits there does not go on. */
import { formatCount } from '../model/units.ts'

export function waitForCalls(stage: string, calls: number, waiting: number, reason: string): string | null {
  if (calls + waiting === 0) return null
  const parts: string[] = []
  if (calls > 0) parts.push(formatCount(calls, 'call'))
  if (waiting > 0) parts.push(`${formatCount(waiting, 'waiting attempt')} (${reason})`)
  return `${parts.join(' and ')} of '${stage}'`
}

export function waitForRecords(sink: string, records: number, reason: string): string | null {
  return records === 0 ? null : `${formatCount(records, 'record')} for sink '${sink}' (${reason})`
}
