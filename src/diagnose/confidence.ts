/**
 * How certain a finding is: by how much it is over its threshold, whether the smallest capacity says the same, and
 * whether the meter's own check (Little's law) holds.
 */
import { boundsOf } from './capacity.ts'
import type { Facts } from './facts.ts'
import type { Finding } from './finding.ts'

const DISAGREES = 0.6
const LITTLE_GOOD = 0.05
const LITTLE_BAD = 0.2

export function verdictConfidence(facts: Facts, finding: Finding): number {
  const margin = 0.5 + finding.margin / 2
  const { littleError } = facts.status.checks
  const little = littleError <= LITTLE_GOOD ? 1 : littleError <= LITTLE_BAD ? 0.7 : 0.3
  return margin * little * (agrees(facts, finding) ? 1 : DISAGREES)
}

function agrees(facts: Facts, finding: Finding): boolean {
  if (finding.kind === 'none' || finding.kind === 'stalled' || finding.certain === true) return true
  const bounds = boundsOf(facts, finding, null)
  const least = bounds.reduce((smallest, bound) => (bound.perSecond < smallest.perSecond ? bound : smallest))
  // Within a tenth of the smallest the model cannot tell either.
  const own = bounds.filter(({ stage, kind }) => stage === finding.bottleneck || kind === finding.kind)
  return own.some(({ perSecond }) => perSecond <= least.perSecond * 1.1)
}
