/** What an experiment concludes from latency before and after a cut. */
import { expect, test } from 'vitest'
import { Experiment } from '../../src/control/experiment.ts'
import { Cohort, logMs } from '../../src/control/latency.ts'
import { Measures } from '../../src/control/measures.ts'

const LIMIT = 100
const TO = 70
const ALONE_MS = 50

/** A probe after many calls that took `beforeMs`, during which all take `afterMs`. */
function probed(beforeMs: number, afterMs: number): Experiment {
  const cohort = new Cohort()
  const measures = new Measures()
  const experiment = new Experiment(cohort, measures)
  for (let call = 0; call < 1000; call += 1) measures.window.add(logMs(beforeMs))
  measures.learn(measures.window)
  experiment.stay(LIMIT)
  experiment.cause = 'scheduled'
  experiment.begin(TO, 0.01, 6, 0, beforeMs)
  for (let sequence = 1; sequence <= TO; sequence += 1) cohort.sent(sequence, 1000)
  for (let sequence = 1; sequence <= TO; sequence += 1) experiment.measured(sequence, 2000, logMs(afterMs))
  return experiment
}

// Where calls vary much a quarter of them is meant to queue: a probe that drained just that was taken for a sign that
// others queue, and a baseline of the few calls of a deep probe followed.
test('the queue that is meant to stand, gone with the cut, is none that still queues', () => {
  expect(probed(1.25 * ALONE_MS, ALONE_MS).stillQueues(0.25)).toBe(false)
  expect(probed(1.1 * ALONE_MS, ALONE_MS).stillQueues(0.1)).toBe(false)
})

test('calls that become faster by as much as they become fewer still queue', () => {
  const experiment = probed(2 * ALONE_MS, (2 * ALONE_MS * TO) / LIMIT)
  expect(experiment.stillQueues(0.25)).toBe(true)
  expect(experiment.stillQueues(0.1)).toBe(true)
})

test('calls that become no faster do not queue', () => {
  expect(probed(ALONE_MS, ALONE_MS).stillQueues(0.1)).toBe(false)
})

// A cache went cold, calls took three times as long, and a quarter of the limit queued on top: that quarter left with
// the cut, the whole rise was taken for a queue of one's own, and the limit fell to a third.
test("calls far above the baseline after a cut that cost throughput wait for no queue of one's own", () => {
  const beforeMs = 3.25 * ALONE_MS
  const experiment = probed(beforeMs, 0.83 * beforeMs)
  const rise = Math.log((0.83 * beforeMs) / ALONE_MS)
  expect(experiment.elasticity).toBeGreaterThan(0.4)
  expect(experiment.elasticity).toBeLessThan(0.6)
  expect(experiment.isNotOurs(rise)).toBe(true)
  // As much elasticity beside a small rise is what the end of a queue of one's own looks like.
  expect(experiment.isNotOurs(0.2)).toBe(false)
})

test('calls that become faster with the cut queued by themselves, however slow they were', () => {
  const experiment = probed(6 * ALONE_MS, (6 * ALONE_MS * TO) / LIMIT)
  expect(experiment.isNotOurs(Math.log((6 * TO) / LIMIT))).toBe(false)
})
