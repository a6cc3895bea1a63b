/** The exit code that says how a pipeline is, so that a script need not read the text. Listed in the help and in docs/cli.md. */
import type { Health } from '../../model/diagnosis.ts'
import { EXIT } from '../failure.ts'

export const FALLS_BEHIND = 4
export const DOES_NOT_WORK = 5

export function exitCodeOf({ kind, fallingBehind }: Health): number {
  if (kind === 'retry-storm' || kind === 'stalled' || kind === 'failed') return DOES_NOT_WORK
  if (kind === 'overload' || (kind === 'throttling' && fallingBehind)) return FALLS_BEHIND
  return EXIT.done
}
