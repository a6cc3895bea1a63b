/** Limits that are changed while it runs: a wrong figure is refused with what was expected, and changes nothing. */
import { expect, test } from 'vitest'
import { checkLimits, type Limits } from '../../src/engine/limits.ts'

const PRESENT = {
  records: 10_000,
  bytes: 1_000_000,
  residenceMs: 10_000,
  maxRecordBytes: 100_000,
  uncommittedRecords: 1_000,
}
const check = (limits: unknown) => () => checkLimits(limits as Limits, PRESENT, ['fraud', 'notify'])

test.each<[unknown, string]>([
  [{ stages: { fruad: { concurrency: 1 } } }, "there is no call stage 'fruad'; the call stages are: 'fraud', 'notify'"],
  [{ stages: { fraud: { concurrency: 0 } } }, "stage 'fraud' › concurrency: expected an integer from 1 to 50,000"],
  [{ stages: { fraud: { concurrency: 1.5 } } }, 'expected an integer'],
  [{ stages: { fraud: { concurrency: '8' } } }, 'did you mean 8?'],
  [{ stages: { fraud: { perSecond: 0 } } }, 'perSecond: expected a number from 0.0001'],
  [{ stages: { fraud: { perSecond: Number.NaN } } }, 'perSecond: expected a number'],
  [{ stages: { fraud: { timeoutMs: -1 } } }, 'timeoutMs: expected an integer'],
  [{ stages: { fraud: { slots: 3 } } }, 'the limits here are `concurrency`, `perSecond`, `timeoutMs`'],
  [{ admission: { records: 0 } }, 'admission.records: expected an integer from 1'],
  [{ admission: { speed: 1 } }, 'there is no such limit; the limits here are `records`'],
  [{ admission: { bytes: 50_000 } }, 'would never be admitted with 50,000 bytes'],
])('refuses %j', (limits, words) => {
  expect(check(limits)).toThrow(expect.objectContaining({ code: 'HG_OPTION_INVALID' }))
  expect(check(limits)).toThrow(words)
})

test('takes figures of the range', () => {
  expect(
    check({ admission: { bytes: 200_000 }, stages: { fraud: { concurrency: 8, perSecond: 0.5, timeoutMs: 10 } } }),
  ).not.toThrow()
})
