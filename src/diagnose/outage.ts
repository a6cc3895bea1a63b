/**
 * What a stage calls is down: not one attempt has succeeded for a while, several in a row have failed, and its breaker
 * is open. Counted from one status to the next, since a window would take seconds to be full of it. `Doctor` owns a log,
 * and the rules say what it sees before anything else.
 */
import type { StageStatus, Status } from '../model/status.ts'
import { milliseconds, plain } from './evidence.ts'
import type { Facts, Outage } from './facts.ts'
import type { Finding } from './finding.ts'

/** Where some calls succeed, one does within this time and so many. */
const LEAST_MS = 2000
const LEAST_FAILURES = 2
const CLEARLY_MS = 5000

/** As it was before the failures began. */
interface Sound {
  readonly ok: number
  readonly failed: number
  readonly refused: number
  readonly atMs: number
}

export class OutageLog {
  readonly #sound = new Map<string, Sound>()
  #outages: readonly Outage[] = []

  observe({ stages, nowMs, state }: Status): void {
    const outages: Outage[] = []
    for (const stage of stages) {
      const { name, ok, rejected429: refused } = stage
      const failed = stage.failed + stage.timeouts + refused
      const sound = this.#sound.get(name)
      if (sound === undefined || sound.ok !== ok || sound.failed === failed) {
        this.#sound.set(name, { ok, failed, refused, atMs: nowMs })
        continue
      }
      const failures = failed - sound.failed
      const outage = { stage: name, forMs: nowMs - sound.atMs, failures, refused: refused - sound.refused }
      const isOut = isShut(stage) && outage.forMs >= LEAST_MS && outage.failures >= LEAST_FAILURES
      if (isOut && state === 'running') outages.push(outage)
    }
    this.#outages = outages
  }

  read(): readonly Outage[] {
    return this.#outages
  }
}

function isShut({ limiters }: StageStatus): boolean {
  return limiters.length > 0 && limiters.every(({ breaker }) => breaker !== 'closed')
}

/** The last stage that is cut off: those before it only wait for it. */
export function outageFinding({ outages }: Facts): Finding | null {
  const outage = outages.at(-1)
  if (outage === undefined) return null
  const { stage, forMs, failures } = outage
  return {
    bottleneck: stage,
    kind: 'downstream-down',
    margin: Math.min(1, 0.6 + forMs / CLEARLY_MS),
    certain: true,
    evidence: [
      milliseconds('no success for', forMs, `not one attempt of '${stage}' has succeeded`),
      plain('failed one after the other', failures, 'attempts', 'the breaker is open: one at a time is tried'),
    ],
  }
}
