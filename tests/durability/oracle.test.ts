/** The oracle of the kill test: it accepts what an honest pipeline leaves, and names each way of breaking a promise. */
import { describe, expect, it } from 'vitest'
import { type Attempt, Oracle, type Run } from './oracle.ts'
import { ADMISSION_RECORDS, fateOf, UNCOMMITTED_RECORDS, type Work } from './work.ts'

type Draft = { -readonly [Part in keyof Run]: Run[Part] extends readonly (infer One)[] ? One[] : Run[Part] }

/** 60 records of two keys in one partition: key `a` at the even offsets, `b` at the odd ones. */
const WORKS: readonly Work[] = Array.from({ length: 60 }, (_, offset) => {
  return { key: offset % 2 === 0 ? 'a' : 'b', number: offset >> 1 }
})

/** What a run leaves that did the records from `from` to `to` and committed those below `committed`. */
function honest(from: number, to: number, committed: number, appended: readonly Work[] = []): Draft {
  const attempts: Attempt[] = []
  const results = []
  const letters = []
  for (let offset = from; offset < to; offset += 1) {
    const work = WORKS[offset]!
    const { fate, attempts: needed } = fateOf(work)
    for (let attempt = 1; attempt <= needed; attempt += 1) attempts.push({ partition: 0, offset, attempt })
    if (fate === 'out') results.push({ ...work, offset })
    if (fate === 'dead') letters.push({ partition: 0, offset, attempts: needed })
  }
  const progress = [{ nextOffset: committed, ahead: [] as number[] }]
  return { appended: [appended], attempts, results: [results], letters: [letters], progress }
}

/** A first run, killed with ten records uncommitted; the second one as `change` makes it. */
function judgeSecond(change: (run: Draft) => void): () => void {
  const oracle = new Oracle(1)
  oracle.judge(honest(0, 30, 20, WORKS))
  const run = honest(20, 60, 60)
  change(run)
  return () => {
    oracle.judge(run)
    oracle.finish()
  }
}

describe('the oracle of the kill test', () => {
  it('accepts a run that does again what the killed one had not committed, and counts it', () => {
    const oracle = new Oracle(1)
    expect(oracle.judge(honest(0, 30, 20, WORKS))).toEqual({ called: 30, ended: 30, redone: 0, toRedo: 10 })
    expect(oracle.judge(honest(20, 60, 60))).toEqual({ called: 38, ended: 38, redone: 10, toRedo: 0 })
    oracle.finish()
  })

  it('accepts records committed ahead of one that is not', () => {
    const oracle = new Oracle(1)
    const first = honest(0, 30, 20, WORKS)
    first.progress = [{ nextOffset: 20, ahead: [21, 22] }]
    expect(oracle.judge(first).toRedo).toBe(9)
    const second = honest(20, 60, 60)
    second.attempts = second.attempts.filter(({ offset }) => offset !== 21)
    second.results = [second.results[0]!.filter(({ offset }) => offset !== 21)]
    oracle.judge(second)
    oracle.finish()
  })

  it.each<[string, RegExp, (run: Draft) => void]>([
    ['a record that was committed and never written', /is committed and was not written/, (run) => {
      run.results = [run.results[0]!.slice(0, -1)]
    }],
    ['a dead letter that was committed and never written', /is committed and was not written/, (run) => {
      run.letters = [run.letters[0]!.slice(0, -1)]
    }],
    ['a record that is left uncommitted', /never committed/, (run) => {
      run.progress = [{ nextOffset: 59, ahead: [] }]
    }],
    ['a commit that moves back', /moved back from 20 to 19/, (run) => {
      run.progress = [{ nextOffset: 19, ahead: [] }]
    }],
    ['a commit beyond the end', /beyond its end/, (run) => {
      run.progress = [{ nextOffset: 61, ahead: [] }]
    }],
    ['a committed record that is done again', /was committed and is done again/, (run) => {
      run.attempts = [{ partition: 0, offset: 19, attempt: 1 }, ...run.attempts]
    }],
    ['a record that is left out and taken later', /while number 10 of key a .* is due/, (run) => {
      run.attempts = [run.attempts[2]!, ...run.attempts]
    }],
    ['a call of the next record before a retry', /is called before .* has ended/, (run) => {
      const retry = run.attempts.findIndex(({ attempt }) => attempt === 2)
      run.attempts = run.attempts.filter((_, index) => index !== retry)
    }],
    ['an attempt that is counted twice', /attempt 1 after 1/, (run) => {
      run.attempts = [run.attempts[0]!, ...run.attempts]
    }],
    ['a record that ends twice in one run', /ended twice in one run/, (run) => {
      run.results = [[run.results[0]![0]!, ...run.results[0]!]]
    }],
    ['results of a key out of order', /ended after|ended before/, (run) => {
      run.results = [run.results[0]!.toReversed()]
    }],
    ['a result under another key', /came out as number 10 of key b/, (run) => {
      run.results = [[{ ...run.results[0]![0]!, key: 'b' }, ...run.results[0]!.slice(1)]]
    }],
    ['a result that nobody called for', /ended without a call/, (run) => {
      run.attempts = run.attempts.slice(0, -1)
    }],
    ['a dead letter that should have been a result', /ended as 'dead', it should be 'out'/, (run) => {
      run.letters = [[{ partition: 0, offset: 20, attempts: 1 }]]
    }],
    ['a dead letter after too few attempts', /is dead after 0 attempts/, (run) => {
      run.letters = [run.letters[0]!.map((letter) => ({ ...letter, attempts: 0 }))]
    }],
    ['a result of a record that is not there', /there is no record 0@60/, (run) => {
      run.results = [[...run.results[0]!, { key: 'a', number: 30, offset: 60 }]]
    }],
  ])('finds %s', (_, error, change) => {
    expect(judgeSecond(() => {})).not.toThrow()
    expect(judgeSecond(change)).toThrow(error)
  }) // biome-ignore format: one promise a line

  const many = (count: number): Work[] => Array.from({ length: count }, (_, each) => ({ key: `k${each}`, number: 0 }))
  const calls = (partition: number, count: number): Attempt[] =>
    Array.from({ length: count }, (_, offset) => ({ partition, offset, attempt: 1 }))
  const nothing = { letters: [], progress: [{ nextOffset: 0, ahead: [] }] }

  it('finds more uncommitted in a partition than allowed, and not one less', () => {
    const run = (count: number): Run => ({
      ...{ appended: [many(count)], attempts: calls(0, count) },
      ...{ results: [many(count).map((work, offset) => ({ ...work, offset }))], ...nothing },
    })
    expect(new Oracle(1).judge(run(UNCOMMITTED_RECORDS)).toRedo).toBe(UNCOMMITTED_RECORDS)
    expect(() => new Oracle(1).judge(run(UNCOMMITTED_RECORDS + 1))).toThrow(/uncommitted, more than/)
  })

  it('finds more in flight than was admitted', () => {
    const partitions = Math.ceil((ADMISSION_RECORDS + 1) / UNCOMMITTED_RECORDS)
    const each = Math.ceil((ADMISSION_RECORDS + 1) / partitions)
    const indices = Array.from({ length: partitions }, (_, partition) => partition)
    const run: Run = {
      appended: indices.map((index) => many(each).map(({ key, number }) => ({ key: `${index}${key}`, number }))),
      attempts: indices.flatMap((index) => calls(index, each)),
      results: [],
      letters: [],
      progress: indices.map(() => ({ nextOffset: 0, ahead: [] })),
    }
    expect(() => new Oracle(partitions).judge(run)).toThrow(/in flight, more than/)
  })
})
