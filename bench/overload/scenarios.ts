/**
 * The named scenarios. Most start from the same downstream (40 servers, 50 ms, little spread, 2 ms of network) and
 * change one thing at a known time. The scenarios came before any tuning and are not changed to suit an algorithm, but
 * for those with a broken replica: these came with what Headgate does about it, and the length and the goal of the one
 * that hangs were set once it was known what is reached.
 *
 * What is fair: a phase counts as a whole, from its first millisecond. The first phase therefore includes the cold
 * start of the algorithm, and a phase after a change the time that it takes to notice; the oracle has the same phase
 * and what is still in flight from the one before, but knows the time of the change. A phase lasts a minute where
 * calls take 50 ms and longer where signals are rarer: a change of conditions every minute is already a bad day.
 */
import type { Conditions, Phase, Scenario } from '../../src/sim/scenario.ts'
import type { Goals, Trial } from './trial.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND

const base: Conditions = {
  servers: 40,
  service: { kind: 'lognormal', meanMs: 50, cv: 0.3 },
  network: { rttMs: 2 },
}

function phase(name: string, durationMs: number, change: Partial<Conditions> = {}): Phase {
  return { name, durationMs, ...base, ...change }
}

/** One phase that is judged whole. */
function steady(name: string, change: Partial<Conditions>, goals: Goals, more: Partial<Scenario> = {}): Trial {
  return { scenario: { name, phases: [phase('steady', MINUTE, change)], ...more }, judged: 0, goals }
}

/** Half a minute of one, then a minute of the other, which is judged. */
function change(
  name: string,
  before: Partial<Conditions>,
  after: Partial<Conditions>,
  goals: Goals,
  more: Partial<Scenario> & { beforeMs?: number; afterMs?: number } = {},
): Trial {
  const { beforeMs = MINUTE / 2, afterMs = MINUTE, ...rest } = more
  const phases = [phase('before', beforeMs, before), phase('after', afterMs, after)]
  return { scenario: { name, phases, ...rest }, judged: 1, goals }
}

function outage(kind: 'refuse' | 'hang' | 'reset', attempts: number): Trial {
  const phases = [phase('before', MINUTE / 2), phase('down', 20 * SECOND, { outage: kind }), phase('after', MINUTE / 2)]
  const name = `outage of 20 s by ${kind === 'refuse' ? '503' : kind}`
  return {
    scenario: { name, phases, timeoutMs: 2 * SECOND },
    judged: 2,
    outage: 1,
    goals: { recoveryMs: 6 * SECOND, outageAttempts: attempts },
  }
}

const spread = (cv: number): Partial<Conditions> => ({ service: { kind: 'lognormal', meanMs: 50, cv } })
const cold: Goals = { goodput: 0.95, p99: 1.1, waste: 0.001, recoveryMs: 5 * SECOND }
/** The share that is wasted in any case, and a tenth of it. */
const replica: Goals = { p99: 1.1, waste: 0.11 }
const thrash: Goals = { goodput: 0.95, p99: 1.1, waste: 0.001 }

export const TRIALS: readonly Trial[] = [
  steady('steady, 4 servers', { servers: 4 }, cold),
  steady('steady, 16 servers', { servers: 16 }, cold),
  steady('steady, 40 servers', {}, cold),
  {
    scenario: {
      name: 'steady, 200 servers',
      phases: [phase('steady', MINUTE / 2, { servers: 200, service: { kind: 'lognormal', meanMs: 20, cv: 0.3 } })],
    },
    judged: 0,
    goals: cold,
  },
  steady('thrash', { thrash: 0.5 }, thrash),
  steady('thrash, 1 s timeout', { thrash: 0.5 }, thrash, { timeoutMs: SECOND }),
  steady('cv 1.5', spread(1.5), { goodput: 0.92, p99: 1.1, waste: 0.001 }),
  steady(
    'bimodal',
    { service: { kind: 'bimodal', meanMs: 50, slowShare: 0.1, slowFactor: 10 } },
    { goodput: 0.95, p99: 1.1, waste: 0.001 },
  ),
  {
    scenario: {
      name: '3 s calls, 16 servers',
      phases: [phase('steady', 10 * MINUTE, { servers: 16, service: { kind: 'lognormal', meanMs: 3000, cv: 0.3 } })],
    },
    judged: 0,
    goals: { goodput: 0.88, p99: 1.1, waste: 0.001, recoveryMs: 2 * MINUTE },
  },
  ...quotas(),
  steady('503 above 12 queued', { queueLimit: 12 }, { goodput: 0.95, p99: 1.1, waste: 0.005 }),
  change('drop by 70 %', {}, { servers: 12 }, { goodput: 0.95, p99: 1.3, waste: 0.01, shedMs: 2 * SECOND }),
  change(
    'drop by 70 % with thrash, 1 s timeout',
    { thrash: 0.5 },
    { thrash: 0.5, servers: 12 },
    { goodput: 0.93, p99: 1.6, waste: 0.01, shedMs: 2 * SECOND },
    { timeoutMs: SECOND },
  ),
  change('capacity returns', { servers: 12 }, {}, { goodput: 0.92, p99: 1.15, waste: 0.001, recoveryMs: 5 * SECOND }),
  change('RTT shift by 80 ms', {}, { network: { rttMs: 82 } }, { goodput: 0.92, p99: 1.1, waste: 0.001 }),
  steady(
    'network walk, 0–50 ms',
    { network: { rttMs: 10, walk: { minMs: 0, maxMs: 50, stepMs: 10, everyMs: 500 } } },
    { goodput: 0.85, p99: 1.1, waste: 0.001 },
  ),
  steady('GC pauses', { pauses: { everyMs: 4000, lastsMs: 200 } }, { goodput: 0.92, p99: 1.2, waste: 0.001 }),
  change('cold cache', {}, { cold: { factor: 4, calls: 8000 } }, { goodput: 0.9, p99: 1.35, waste: 0.001 }),
  steady(
    'bursty source',
    {},
    { goodput: 0.97, p99: 1.1, waste: 0.001, endToEnd: 1.15 },
    { source: { kind: 'bursty', highPerSecond: 1100, highMs: 4000, lowPerSecond: 200, lowMs: 6000 } },
  ),
  outage('refuse', 30),
  outage('hang', 15),
  outage('reset', 30),
  change('one replica of ten refuses', {}, { broken: { share: 0.1, by: 'refuse' } }, { ...replica, goodput: 0.92 }),
  change(
    'one replica of ten hangs, 1 s timeout',
    {},
    { broken: { share: 0.1, by: 'hang' } },
    { ...replica, goodput: 0.85 },
    { timeoutMs: SECOND, afterMs: 3 * MINUTE },
  ),
  steady('4 clients', {}, { goodput: 0.98, p99: 1.15, waste: 0.001, jain: 0.85 }, { clients: 4 }),
  steady('12 clients', {}, { goodput: 0.98, p99: 2.5, waste: 0.001, jain: 0.85 }, { clients: 12 }),
]

/** A quota well below what the servers could do; a bucket that is refilled is found by being refused, so it takes longer. */
function quotas(): Trial[] {
  const bucket = (perSecond: number): Partial<Conditions> => ({
    quota: { kind: 'bucket', perSecond, burst: perSecond / 2, retryAfter: 1000 },
  })
  const silent: Partial<Conditions> = { quota: { kind: 'bucket', perSecond: 200, burst: 100 } }
  const window: Partial<Conditions> = { quota: { kind: 'window', perSecond: 200, windowMs: 1000, retryAfter: true } }
  const long = { beforeMs: MINUTE, afterMs: 2 * MINUTE }
  const searched = (name: string, conditions: Partial<Conditions>, goodput: number): Trial => ({
    scenario: { name, phases: [phase('quota', 2 * MINUTE, conditions)] },
    judged: 0,
    goals: { goodput, p99: 1.1, waste: 0.005 },
  })
  return [
    searched('429 + Retry-After', bucket(200), 0.92),
    searched('429 without Retry-After', silent, 0.98),
    searched('429, fixed window', window, 0.98),
    change('quota drops', bucket(200), bucket(100), { goodput: 0.88, p99: 1.1, waste: 0.005 }, long),
    change(
      'quota rises',
      bucket(100),
      bucket(200),
      { goodput: 0.7, p99: 1.1, waste: 0.005, recoveryMs: 30 * SECOND },
      long,
    ),
  ]
}

/**
 * Retry storms. A trigger of five seconds, long over when the judged phase begins; the load is one that the downstream
 * carries with ease. A client that retries without restraint keeps it down for good.
 */
export const METASTABLE: Trial = {
  scenario: {
    name: 'metastable: a trigger of 5 s',
    timeoutMs: SECOND,
    source: { kind: 'poisson', perSecond: 560 },
    phases: [
      phase('before', 20 * SECOND, { thrash: 0.5 }),
      phase('trigger', 5 * SECOND, { thrash: 0.5, servers: 8 }),
      phase('after', MINUTE, { thrash: 0.5 }),
    ],
  },
  judged: 2,
  goals: { goodput: 0.95, waste: 0.01, recoveryMs: 6 * SECOND },
}
