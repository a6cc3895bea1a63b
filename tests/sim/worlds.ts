/** Small worlds for the tests of the simulation. */
import { FixedLimiter } from '../../src/control/limiter.ts'
import { Simulation } from '../../src/sim/run.ts'
import type { Conditions, Gate, Outcome, Phase, Scenario } from '../../src/sim/scenario.ts'

/** A fixed limit that keeps what it was told. */
export class Recording extends FixedLimiter implements Gate {
  readonly outcomes: { readonly sentMs: number; readonly nowMs: number; readonly outcome: Outcome }[] = []

  override sent(nowMs: number): unknown {
    super.sent(nowMs)
    return nowMs
  }

  override settled(permit: unknown, nowMs: number, outcome: Outcome): void {
    super.settled(permit, nowMs, { kind: 'ignored' })
    this.outcomes.push({ sentMs: permit as number, nowMs, outcome })
  }

  snapshot(): { readonly limit: number } {
    return { limit: this.limit }
  }

  /** How often each kind of outcome came, with its status. */
  counts(): Record<string, number> {
    const counts: Record<string, number> = {}
    for (const { outcome } of this.outcomes) {
      const key = outcome.status === undefined ? outcome.kind : `${outcome.status}`
      counts[key] = (counts[key] ?? 0) + 1
    }
    return counts
  }
}

export function conditions(change: Partial<Conditions> = {}): Conditions {
  return { servers: 10, service: { kind: 'constant', meanMs: 50 }, network: { rttMs: 0 }, ...change }
}

export function phase(durationMs: number, change: Partial<Conditions> = {}, name = 'phase'): Phase {
  return { name, durationMs, ...conditions(change) }
}

export function scenario(phases: readonly Phase[], more: Partial<Scenario> = {}): Scenario {
  return { name: 'test', phases, ...more }
}

/** Runs it with fixed limits and returns everything there is to look at. */
export function runFixed(world: Scenario, limit: number, seed = 1): { simulation: Simulation; gates: Recording[] } {
  const gates: Recording[] = []
  const simulation = new Simulation(world, seed, () => {
    const gate = new Recording(limit)
    gates.push(gate)
    return gate
  })
  simulation.run()
  return { simulation, gates }
}
