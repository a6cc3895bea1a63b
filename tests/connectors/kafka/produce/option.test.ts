import { expect, test } from 'vitest'
import { sink } from '../../../../src/connectors/kafka/produce/sink.ts'

const GOOD = { brokers: ['localhost:9092'], topic: 'topic' }

// biome-ignore lint/suspicious/noExplicitAny: wrong options are given on purpose
const given = (more: object): any => ({ ...GOOD, ...more })

test.each([
  [{ topic: 'no/slash' }, /topic must be the name of a topic/],
  [{ topic: undefined }, /topic must be/],
  [{ brokers: [] }, /at least one/],
  [{ acks: 'none' }, /acks must be 'all' or 'leader'/],
  [{ acks: 'leader', idempotent: true }, /idempotent must be left out or false/],
  [{ compression: 'rar' }, /compression must be one of none, gzip, snappy, lz4, zstd/],
  [{ batchBytes: 10 }, /batchBytes must be an integer from 1024/],
  [{ linger: 5 }, /unknown option 'linger'/],
  [{ key: 'account' }, /key must be a function/],
])('refuses %j', (more, reason) => {
  expect(() => sink(given(more))).toThrow(reason)
})

test('a secret is never shown, whatever is wrong with it', () => {
  const sasl = { mechanism: 'PLAIN', username: 'me', password: ['canary-secret'] }
  expect(() => sink(given({ sasl }))).toThrow(/password/)
  try {
    sink(given({ sasl }))
  } catch (error) {
    expect(String((error as Error).message)).not.toContain('canary')
  }
})

test('a sink without idempotence takes part in no transaction; brokers in another order are the same cluster', () => {
  expect(sink(given({ idempotent: false })).transactional).toBeUndefined()
  const scope = (brokers: string[]): string | undefined => sink(given({ brokers })).transactional?.scope
  expect(scope(['a:1', 'b:2'])).toBe(scope(['b:2', 'a:1']))
  expect(scope(['a:1'])).not.toBe(scope(['b:2']))
})
