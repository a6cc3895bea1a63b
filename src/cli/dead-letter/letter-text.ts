/** A dead letter as `dead-letter list` prints it: a line for people, or a JSON object for programs. */
import { formatCount } from '../../model/units.ts'
import { headersOf, readable } from '../log/record-text.ts'
import type { Letter } from './letter.ts'

export function letterLine({ place, key, reason, stage, attempts, failedAtMs, origin }: Letter): string {
  const from = origin === null ? '' : `  from ${origin.partition}@${origin.offset}`
  const what = `${stage || '–'}  ${reason.code}  ${formatCount(attempts, 'attempt')}`
  const time = new Date(failedAtMs).toISOString()
  return `${time}  ${place}  ${key ?? '–'}  ${what}${from}  ${reason.message}`.replace(/\p{Cc}/gu, ' ')
}

export function letterJson({ payload, headers, reason, ...rest }: Letter): string {
  const { place, key, stage, attempts, failedAtMs, origin } = rest
  const told = { place, key, stage, code: reason.code, reason: reason.message, attempts, failedAtMs, origin }
  return JSON.stringify({ ...told, ...headersOf(headers), ...shownPayload(payload) })
}

function shownPayload(payload: Letter['payload']): object {
  if (payload.kind === 'lost') return { value: payload.shown, replayable: false }
  return payload.value === null ? { value: null } : readable(payload.value)
}
