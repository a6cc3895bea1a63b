import { HeadgateError } from 'headgate'
import { type KafkaSourceOptions, kafka } from 'headgate/kafka'
import { describe, expect, it } from 'vitest'
import { splitAddress } from '../../../src/connectors/kafka/wire/options.ts'

const base = { brokers: ['localhost:9092'], group: 'group', topics: 'topic' }

function refusal(options: unknown): string {
  try {
    kafka.source(options as KafkaSourceOptions)
  } catch (thrown) {
    if (thrown instanceof HeadgateError && thrown.code === 'HG_OPTION_INVALID') return thrown.message
    throw thrown
  }
  return 'it was accepted'
}

describe('the options of kafka.source', () => {
  it('need no more than brokers, group and topics', () => {
    expect(kafka.source(base).name).toBe('kafka:topic')
    expect(kafka.source({ ...base, topics: [/^a/, 'b'] }).name).toBe('kafka:/^a/,b')
  })

  it.each([
    [{ brokers: [] }, /brokers must be a list of at least one 'host:port'/],
    [{ brokers: ['kafka'] }, /brokers\[0\] must be 'host:port'.*got 'kafka'/],
    [{ brokers: ['kafka:99999'] }, /brokers\[0\]/],
    [{ group: '' }, /group must be/],
    [{ topics: [] }, /topics must be/],
    [{ topics: 'no spaces please' }, /topics must be/],
    [{ from: 'middle' }, /from must be 'earliest', 'latest', 'fail' or \{ timestampMs \}, got 'middle'/],
    [{ sessionTimeoutMs: 6_000, heartbeatIntervalMs: 3_000 }, /heartbeatIntervalMs must be at most a third/],
    [{ groupProtocol: 'consumer', assignors: ['range'] }, /assignors must be left out/],
    [{ serverAssignor: 'uniform' }, /serverAssignor must be left out/],
    [{ sasl: { mechanism: 'GSSAPI' } }, /sasl.*must be an object with mechanism/],
    [{ metadataBytes: -1 }, /metadataBytes must be an integer from 0/],
    [{ fetchMaxBytes: 1 }, /unknown option 'fetchMaxBytes'/],
  ])('refuse %j', (wrong, expected) => {
    expect(refusal({ ...base, ...wrong })).toMatch(expected)
  })

  it('never show a secret', () => {
    const said = refusal({
      ...base,
      sasl: { mechanism: 'PLAIN', username: 'me', password: { secret: 'hunter2' } },
      tls: { key: 42 },
    })
    expect(said).toContain('password')
    expect(said).not.toMatch(/hunter2|42/)
  })

  it('take addresses of both kinds', () => {
    expect(splitAddress('kafka-1.example:9092')).toEqual({ host: 'kafka-1.example', port: 9092 })
    expect(splitAddress('[::1]:9092')).toEqual({ host: '::1', port: 9092 })
    expect(splitAddress('::1:9092')).toBeNull()
  })
})
