/**
 * The options of `kafka.sink`, with what each does, its unit, default and range. `sink.ts` checks them when the sink is
 * made. Invariant: whatever is not refused here is a combination that works; what depends on the cluster is said when
 * the sink is opened.
 */

import { z } from 'zod'
import type { RecordHeaders, RecordInfo } from '../../../model/record.ts'
import { checked } from '../../../model/schema-check.ts'
import { type ShownOptions, shownOptions } from '../../../model/shown-options.ts'
import { KIB, MIB } from '../../../model/units.ts'
import { COMPRESSIONS, type Compression } from '../batch/codec.ts'
import { connectionShape, type KafkaConnectionOptions } from '../wire/options.ts'
import { fn, integer, topicName } from '../wire/schema.ts'
import type { KeyEncoding } from './key.ts'

/** The partition of a record. `key`: its bytes, or null; `partitions`: how many the topic has. */
export type Partitioner<T = unknown> = (value: T, key: Uint8Array | null, partitions: number) => number

export interface KafkaSinkOptions<T = unknown> extends KafkaConnectionOptions {
  /** A topic, or what names the topic of a value. Topics are not created. */
  readonly topic: string | ((value: T, origin: RecordInfo) => string)
  /** The record's key; default the key of the record it came from. Null: no key. */
  readonly key?: (value: T, origin: RecordInfo) => string | Uint8Array | null
  /** Default: bytes and text as they are, null as a tombstone, dead letters as they came, all else as JSON. */
  readonly encode?: (value: T) => string | Uint8Array | null
  /** Default: none, but for dead letters, which have those of their record and the reason. */
  readonly headers?: (value: T, origin: RecordInfo) => RecordHeaders
  /** When the record happened, epoch milliseconds; default the time of writing. */
  readonly timestampMs?: (value: T, origin: RecordInfo) => number
  /** Default: Kafka's own, murmur2 of the key; records without a key take turns, a write at a time. */
  readonly partitioner?: Partitioner<T>
  /** How the text of keys becomes bytes: what the source has as `keyEncoding`. Default `'utf8'`. */
  readonly keyEncoding?: KeyEncoding
  /** A record counts as written once `'all'` in-sync replicas have it (default), or the `'leader'` alone. */
  readonly acks?: 'all' | 'leader'
  /** Retries store nothing twice and change no order. Default true; needs `acks: 'all'`. */
  readonly idempotent?: boolean
  /** Of batches. Default `'none'`; `'zstd'` needs Node.js 22.15 or newer. */
  readonly compression?: Compression
  /** The most that a batch of one partition takes, bytes before compression. Default 1,000,000, range 1 KiB–100 MiB. */
  readonly batchBytes?: number
  /** How long a record is tried before it counts as failed, milliseconds. Default 120,000, range 1,000–3,600,000. */
  readonly deliveryTimeoutMs?: number
  /** Records in one write; default 10,000, range 1–100,000. */
  readonly maxBatchRecords?: number
  /** Writes at once; default 4, range 1–64. */
  readonly maxInFlightWrites?: number
}

const topicError = "the name of a topic (letters, digits, '.', '_' or '-') or a function that gives one"

const schema = z
  .strictObject({
    ...connectionShape,
    topic: z.custom<string | ((value: unknown, origin: RecordInfo) => string)>(
      (given) => typeof given === 'function' || topicName.safeParse(given).success,
      { error: topicError },
    ),
    key: fn<(value: unknown, origin: RecordInfo) => string | Uint8Array | null>().optional(),
    encode: fn<(value: unknown) => string | Uint8Array | null>().optional(),
    headers: fn<(value: unknown, origin: RecordInfo) => RecordHeaders>().optional(),
    timestampMs: fn<(value: unknown, origin: RecordInfo) => number>().optional(),
    partitioner: fn<Partitioner>().optional(),
    keyEncoding: z.enum(['utf8', 'hex', 'base64'], { error: "'utf8', 'hex' or 'base64'" }).default('utf8'),
    acks: z.enum(['all', 'leader'], { error: "'all' or 'leader'" }).default('all'),
    idempotent: z.boolean({ error: 'true or false' }).optional(),
    compression: z
      .enum(COMPRESSIONS as readonly [Compression, ...Compression[]], { error: `one of ${COMPRESSIONS.join(', ')}` })
      .default('none'),
    batchBytes: integer(KIB, 100 * MIB).default(1_000_000),
    deliveryTimeoutMs: integer(1_000, 3_600_000).default(120_000),
    maxBatchRecords: integer(1, 100_000).default(10_000),
    maxInFlightWrites: integer(1, 64).default(4),
  })
  .refine(({ acks, idempotent }) => acks === 'all' || idempotent !== true, {
    path: ['idempotent'],
    error: "left out or false with acks 'leader': a leader that fails may lose what it alone has",
  })
  .transform((given) => ({ ...given, idempotent: given.idempotent ?? given.acks === 'all' }))

export type SinkSettings = z.output<typeof schema>

/** Throws `HG_OPTION_INVALID`. */
export function sinkSettings(given: unknown): SinkSettings {
  return checked('kafka.sink', schema, given)
}

export function shownSinkOptions(settings: SinkSettings): ShownOptions {
  return shownOptions(settings, schema)
}
