/** A scenario of the lab with the phase that is judged and the figures to reach in it. */
import type { Scenario } from '../../src/sim/scenario.ts'

/** Ratios are to the oracle of the same phase, see `oracle.ts`. */
export interface Goals {
  /** At least: successes ÷ the oracle's. */
  readonly goodput?: number
  /** At most: p99 of successful attempts ÷ the oracle's. */
  readonly p99?: number
  /** At most: share of attempts that did not succeed. */
  readonly waste?: number
  /** At most: ms from the phase's start until 90 % of the oracle's rate is reached. */
  readonly recoveryMs?: number
  /** At most: ms from the phase's start until no more than 1.5 × the oracle's calls are in flight. */
  readonly shedMs?: number
  /** At most: p99 from a record's arrival to its success ÷ the oracle's. */
  readonly endToEnd?: number
  /** At least: Jain's fairness index over the clients. */
  readonly jain?: number
  /** At most: attempts sent during the outage. */
  readonly outageAttempts?: number
}

export interface Trial {
  readonly scenario: Scenario
  /** Index of the phase that the goals are for. */
  readonly judged: number
  /** Index of the phase in which the downstream is down, where there is one. */
  readonly outage?: number
  readonly goals: Goals
}
