/** What the command line says: explained errors, log lines, summaries. Pure functions throughout. */
import { describe, expect, test } from 'vitest'
import { CliFailure, explain, verbose } from '../../src/cli/failure.ts'
import { createRunLogger } from '../../src/cli/run/run-logger.ts'
import { statusSentence } from '../../src/cli/run/status-line.ts'
import { exitCodeOf, summary } from '../../src/cli/run/summary.ts'
import { count, duration, percent, rate } from '../../src/console/terminal/figures.ts'
import { HeadgateError } from '../../src/model/errors.ts'
import { sampleStatus } from '../console/sample-status.ts'

describe('an explained error', () => {
  test('is a sentence and what to do', () => {
    const failure = new CliFailure('there is no file x', { advice: 'Name one that is.' })
    expect(explain(failure, false)).toEqual({ text: 'error: there is no file x\n  Name one that is.', exitCode: 2 })
  })

  test('carries the code of a pipeline error, and the exit code for it', () => {
    const lost = new HeadgateError('HG_CONNECTION_LOST', 'connect ECONNREFUSED 127.0.0.1:9092')
    expect(explain(lost, false)).toEqual({
      text: 'error: connect ECONNREFUSED 127.0.0.1:9092 (HG_CONNECTION_LOST)',
      exitCode: 1,
    })
    expect(explain(new HeadgateError('HG_OPTION_INVALID', 'x'), false).exitCode).toBe(2)
  })

  test('has a stack trace only when asked for, its causes included', () => {
    const error = new Error('outer', { cause: new Error('inner') })
    expect(explain(error, false).text).not.toContain('    at ')
    expect(explain(error, true).text).toMatch(/ {4}at [\s\S]*caused by Error: inner/)
    expect(verbose(['run', '--verbose'], {})).toBe(true)
    expect(verbose([], { DEBUG: 'headgate' })).toBe(true)
    expect(verbose([], { DEBUG: 'express' })).toBe(false)
  })
})

test('figures stay short', () => {
  expect([0, 9.94, 333.2, 99_999_999].map(rate)).toEqual(['0/s', '9.9/s', '333/s', '100.0M/s'])
  expect([18_204, 12_345_678, null].map(count)).toEqual(['18,204', '12.3M', '–'])
  expect([0, 0.001, 0.714, 1].map(percent)).toEqual(['0%', '<1%', '71%', '100%'])
  expect([0, 850, 1200, 190_000, 90_000_000, 864_000_000].map(duration)).toEqual([
    '0ms',
    '850ms',
    '1.2s',
    '3m10s',
    '25h00m',
    '10d',
  ])
})

test('a text log line is one line, whatever is logged', () => {
  const lines: string[] = []
  const log = createRunLogger({ level: 'info', format: 'text', colour: false, write: (line) => lines.push(line) })
  log.debug({}, 'unseen')
  log.warn({ source: 'payments', why: 'two words', error: new Error('x\ny') }, 'lost\u001b[31m\nit')
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatch(
    /^\d\d:\d\d:\d\d\.\d{3} warn {2}lost \[31m it {2}source=payments why="two words" error="x\\ny"$/,
  )
})

test('a JSON log line is pino’s, with the sentence last', () => {
  const lines: string[] = []
  const log = createRunLogger({ level: 'info', format: 'json', colour: false, write: (line) => lines.push(line) })
  log.info({ source: 'payments' }, 'assigned')
  expect(JSON.parse(lines[0] as string)).toMatchObject({ level: 30, source: 'payments', msg: 'assigned' })
})

test('a status is one sentence', () => {
  expect(statusSentence(sampleStatus(70, { verdict: 'Keeping up.' }))).toBe(
    'running · done 333/s · in flight 137 · backlog 318,204 (3m10s) · p99 3.4s · rss 135 MiB · Keeping up.',
  )
})

describe('the end of a run', () => {
  const ended = sampleStatus(40, { state: 'stopped' })

  test('is summed up', () => {
    expect(summary({ status: ended, drained: true, returnedByDeadline: 0 }, 'out.json')).toMatchSnapshot()
  })

  test('has an exit code', () => {
    expect(exitCodeOf({ status: ended, drained: true, returnedByDeadline: 0 })).toBe(0)
    expect(exitCodeOf({ status: ended, drained: true, returnedByDeadline: 7 })).toBe(3)
    expect(exitCodeOf({ status: { ...ended, state: 'failed' }, drained: true, returnedByDeadline: 7 })).toBe(1)
  })

  test('says what comes again', () => {
    expect(summary({ status: ended, drained: true, returnedByDeadline: 1 }, null)).toContain(
      'the drain deadline passed and 1 record was returned: they will be delivered again',
    )
  })
})
