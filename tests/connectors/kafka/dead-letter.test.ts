import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  deadLetterRecord,
  deadLetters,
  matchesDeadLetter,
  readDeadLetter,
  replayOf,
  topicOfOrigin,
} from '../../../src/connectors/kafka/dead-letter.ts'
import type { DeadLetter } from '../../../src/model/connector.ts'
import type { RecordHeaders } from '../../../src/model/record.ts'

function letterOf(more: Partial<DeadLetter> = {}, headers: RecordHeaders = {}): DeadLetter {
  return {
    value: Buffer.from('payload'),
    reason: { code: 'HG_TIMEOUT', message: 'took too long' },
    stage: 'score',
    attempts: 5,
    failedAtMs: 1_700_000_000_123,
    origin: {
      source: 'kafka:payments',
      key: 'account-7',
      partition: 'payments/3',
      offset: 991,
      timestampMs: 1_700_000_000_000,
      headers,
      bytes: 100,
    },
    ...more,
  }
}

/** As a reader finds it. */
function stored(letter: DeadLetter, keyEncoding: 'utf8' | 'hex' | 'base64' = 'utf8') {
  const { key, value, headers } = deadLetterRecord(letter, keyEncoding, 1)
  const bytes = (field: string | Uint8Array | null): Uint8Array | null => (field === null ? null : Buffer.from(field))
  return {
    key: bytes(key),
    value: bytes(value),
    headers: Object.fromEntries(Object.entries(headers).map(([name, content]) => [name, Buffer.from(content)])),
  }
}

test('a letter keeps the record byte for byte, and tells all that is known', () => {
  const value = Uint8Array.of(0, 255, 13, 10)
  const letter = readDeadLetter(stored(letterOf({ value }, { trace: 'abc', raw: Uint8Array.of(1, 2) })))
  expect(letter).toMatchObject({
    reason: { code: 'HG_TIMEOUT', message: 'took too long' },
    stage: 'score',
    attempts: 5,
    failedAtMs: 1_700_000_000_123,
    origin: { source: 'kafka:payments', partition: 'payments/3', offset: 991, timestampMs: 1_700_000_000_000 },
    encoding: 'bytes',
  })
  const replayed = replayOf(letter!, 5)!
  expect(Buffer.from(replayed.value as Uint8Array)).toEqual(Buffer.from(value))
  expect(Buffer.from(replayed.key as Uint8Array).toString()).toBe('account-7')
  expect(Object.keys(replayed.headers).sort()).toEqual(['raw', 'trace'])
  expect(Buffer.from(replayed.headers['raw'] as Uint8Array)).toEqual(Buffer.of(1, 2))
  expect(topicOfOrigin(letter!)).toBe('payments')
})

test('keys that are no text come back as the bytes they were', () => {
  const key = Buffer.of(0, 200, 255)
  const origin = { ...letterOf().origin, key: key.toString('base64') }
  expect(readDeadLetter(stored(letterOf({ origin }), 'base64'))!.key).toEqual(key)
  expect(readDeadLetter(stored(letterOf({ origin: { ...origin, key: null } })))!.key).toBeNull()
})

test('tombstones stay tombstones', () => {
  expect(replayOf(readDeadLetter(stored(letterOf({ value: null })))!, 1)!.value).toBeNull()
})

test('what a message says cannot break a line or forge a header, and is bounded', () => {
  const message = `no\r\nhg-stage: other\u0000${'x'.repeat(5_000)}`
  const { headers } = deadLetterRecord(letterOf({ reason: { code: 'A\nB', message } }), 'utf8', 1)
  for (const content of Object.values(headers)) expect(String(content)).not.toMatch(/\p{Cc}/u)
  expect(String(headers['hg-reason']).length).toBeLessThanOrEqual(1_000)
  expect(headers['hg-stage']).toBe('score')
})

test('headers of an earlier failure do not stand for this one', () => {
  const { headers } = deadLetterRecord(letterOf({}, { 'hg-stage': 'older', 'hg-extra': 'x', own: 'y' }), 'utf8', 1)
  expect(headers).toMatchObject({ 'hg-stage': 'score', own: 'y' })
  expect(headers).not.toHaveProperty('hg-extra')
})

test('storing never throws, whatever the payload is; what is no bytes is shown and not replayed', () => {
  const cyclic: Record<string, unknown> = {}
  cyclic['self'] = cyclic
  for (const value of [undefined, cyclic, 12n, Symbol('s'), () => 1, { a: 1n }]) {
    const letter = readDeadLetter(stored(letterOf({ value })))!
    expect(letter.encoding).not.toBe('bytes')
    expect(replayOf(letter, 1)).toBeNull()
  }
  fc.assert(
    fc.property(fc.anything(), fc.string(), (value, message) => {
      const letter = readDeadLetter(stored(letterOf({ value, reason: { code: 'C', message } })))
      expect(letter?.reason.code).toBe('C')
    }),
  )
})

test('records of other programs are no letters, and damaged ones are read as far as they go', () => {
  expect(readDeadLetter({ key: null, value: null, headers: { 'x-error': 'no' } })).toBeNull()
  const letter = readDeadLetter({ key: null, value: null, headers: { 'hg-reason-code': 'X', 'hg-attempts': 'many' } })
  expect(letter).toMatchObject({ attempts: 0, origin: null, stage: '' })
  expect(topicOfOrigin(letter!)).toBeNull()
})

test('filters let through what all of them say', async () => {
  const letter = readDeadLetter(stored(letterOf()))!
  for (const [filter, matches] of [
    [{}, true],
    [{ stage: 'score', code: 'HG_TIMEOUT' }, true],
    [{ stage: 'score', code: 'HG_FENCED' }, false],
    [{ origin: 'payments/3' }, true],
    [{ origin: 'payments' }, true],
    [{ origin: 'payment' }, false],
    [{ source: 'kafka:payments' }, true],
    [{ sinceMs: 1_700_000_000_123, untilMs: 1_700_000_000_124 }, true],
    [{ untilMs: 1_700_000_000_123 }, false],
    [{ sinceMs: 1_700_000_000_124 }, false],
  ] as const)
    expect(matchesDeadLetter(letter, filter), JSON.stringify(filter)).toBe(matches)
  const records = [stored(letterOf()), { key: null, value: null, headers: {} }, stored(letterOf({ stage: 'other' }))]
  const found: string[] = []
  for await (const each of deadLetters(records, { stage: 'other' })) found.push(each.letter.stage)
  expect(found).toEqual(['other'])
})
