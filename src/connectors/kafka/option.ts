/**
 * The options of `kafka.source`, with what each does, its unit, default and range. `source.ts` checks them when the
 * source is made. Invariant: whatever is not refused here is a combination that works; what depends on the cluster is
 * said when the source is opened.
 */

import { z } from 'zod'
import type { Decoder } from '../../model/connector.ts'
import { checked } from '../../model/schema-check.ts'
import { type ShownOptions, shownOptions } from '../../model/shown-options.ts'
import { KIB, MIB } from '../../model/units.ts'
import { connectionShape, type KafkaConnectionOptions } from './wire/options.ts'
import { fn, integer, text, topicName } from './wire/schema.ts'

export type StartPosition = 'earliest' | 'latest' | 'fail' | { readonly timestampMs: number }

export interface KafkaSourceOptions<T = Uint8Array | null> extends KafkaConnectionOptions {
  /** Progress is kept under this name, and the partitions are shared with all members that have the same. */
  readonly group: string
  /** Names of topics, or regular expressions that names must match; topics that come later are found by themselves. */
  readonly topics: readonly (string | RegExp)[] | string | RegExp
  /** Makes values of the stored bytes (null for a tombstone); default the bytes themselves. */
  readonly decode?: Decoder<T>
  /**
   * Where the group begins in a partition without progress: `'earliest'` (default), `'latest'`, the first record that is
   * not older than a time, or `'fail'`. Partitions that a topic gets later begin at their start, whatever this says.
   */
  readonly from?: StartPosition
  /**
   * What to do when the next record is not in the partition any more (trimmed by retention) or not yet (the topic was
   * made anew): go on at the `'earliest'` there is (default; nothing that exists is left out), at the `'latest'`, or `'fail'`.
   */
  readonly outOfRange?: 'earliest' | 'latest' | 'fail'
  /** Whether records of open and aborted transactions are left out; default `'committed'`. */
  readonly isolation?: 'committed' | 'uncommitted'
  /** How keys become text: `'utf8'` (default), or `'hex'` or `'base64'` for keys that are no text. */
  readonly keyEncoding?: 'utf8' | 'hex' | 'base64'
  /** `'classic'` (default, every broker), or `'consumer'`: KIP-848, Kafka 4.0 and newer, where rebalances stop nobody. */
  readonly groupProtocol?: 'classic' | 'consumer'
  /**
   * Classic: what this member is ready for, best first; with `'range'` in the list every rebalance takes all partitions
   * away for its length. Default `['cooperative-sticky']`.
   */
  readonly assignors?: readonly ('cooperative-sticky' | 'range')[]
  /** KIP-848: the broker's assignor, for example `'uniform'` (its default) or `'range'`. */
  readonly serverAssignor?: string
  /**
   * Makes this a static member: it keeps its partitions over a restart that is shorter than the session, and no
   * rebalance takes place. Each process needs its own.
   */
  readonly groupInstanceId?: string
  /**
   * Without a sign of life for so long a member is taken for dead, milliseconds. Default 45,000, range 1,000–3,600,000.
   * KIP-848 groups: a setting of the broker; this one says when the member itself gives up.
   */
  readonly sessionTimeoutMs?: number
  /** Time between signs of life, milliseconds. Default 3,000, range 100–600,000, at most a third of the session. */
  readonly heartbeatIntervalMs?: number
  /** How long a member may take in a rebalance to finish what it has begun, milliseconds. Default 60,000, range 1,000–3,600,000. */
  readonly rebalanceTimeoutMs?: number
  /** The rack (zone) this process runs in: replicas in the same one are read where the broker allows it. Default none. */
  readonly rackId?: string
  /** The broker's offset.metadata.max.bytes, for the done-ahead set. Default 4,096, range 0–1,048,576; 0 stores none. */
  readonly metadataBytes?: number
  /** The most that one answer of a broker holds, bytes; less while credit is short. Default 8 MiB, range 1 KiB–1 GiB. */
  readonly fetchBytes?: number
  /** The most of it from one partition, bytes. Default 1 MiB, range 1 KiB–1 GiB. */
  readonly partitionFetchBytes?: number
  /** How long a broker waits for a first record before it answers with none, milliseconds. Default 500, range 1–60,000. */
  readonly fetchWaitMs?: number
  /** The largest batch that is taken, as it is without compression, bytes. Default 128 MiB, range 1 KiB–2 GiB − 1. */
  readonly maxRecordBatchBytes?: number
  /**
   * Whether the checksum of each batch is verified (Kafka's check.crcs), so that a damaged one stops its partition
   * instead of being read. Default true; false saves CPU, most where records are large.
   */
  readonly checkCrcs?: boolean
  /** Put before partition names, to tell apart two clusters with the same topic; default nothing. */
  readonly partitionPrefix?: string
}

const pattern = z.instanceof(RegExp, { error: 'the name of a topic or a regular expression' })
const topic = z.union([topicName, pattern], { error: 'the name of a topic or a regular expression' })
const fromError = "'earliest', 'latest', 'fail' or { timestampMs }"

const schema = z
  .strictObject({
    ...connectionShape,
    group: text,
    topics: z.union([topic.transform((one) => [one]), z.array(topic).min(1)], {
      error: 'the name of a topic, a regular expression, or a list of them',
    }),
    decode: fn<Decoder<unknown>>().optional(),
    from: z
      .union(
        [z.enum(['earliest', 'latest', 'fail']), z.strictObject({ timestampMs: integer(0, Number.MAX_SAFE_INTEGER) })],
        {
          error: fromError,
        },
      )
      .default('earliest'),
    outOfRange: z.enum(['earliest', 'latest', 'fail'], { error: "'earliest', 'latest' or 'fail'" }).default('earliest'),
    isolation: z.enum(['committed', 'uncommitted'], { error: "'committed' or 'uncommitted'" }).default('committed'),
    keyEncoding: z.enum(['utf8', 'hex', 'base64'], { error: "'utf8', 'hex' or 'base64'" }).default('utf8'),
    groupProtocol: z.enum(['classic', 'consumer'], { error: "'classic' or 'consumer'" }).default('classic'),
    assignors: z
      .array(z.enum(['cooperative-sticky', 'range']), { error: "a list of 'cooperative-sticky' and 'range'" })
      .min(1, { error: "a list of 'cooperative-sticky' and 'range'" })
      .optional(),
    serverAssignor: text.optional(),
    groupInstanceId: text.optional(),
    sessionTimeoutMs: integer(1_000, 3_600_000).default(45_000),
    heartbeatIntervalMs: integer(100, 600_000).optional(),
    rebalanceTimeoutMs: integer(1_000, 3_600_000).default(60_000),
    rackId: z.string({ error: 'a text' }).max(249, { error: 'a text of at most 249 characters' }).default(''),
    metadataBytes: integer(0, MIB).default(4_096),
    fetchBytes: integer(KIB, 1024 * MIB).default(8 * MIB),
    partitionFetchBytes: integer(KIB, 1024 * MIB).default(MIB),
    fetchWaitMs: integer(1, 60_000).default(500),
    maxRecordBatchBytes: integer(KIB, 2048 * MIB - 1).default(128 * MIB),
    checkCrcs: z.boolean({ error: 'true or false' }).default(true),
    partitionPrefix: z.string({ error: 'text' }).default(''),
  })
  .refine(({ heartbeatIntervalMs, sessionTimeoutMs }) => (heartbeatIntervalMs ?? 0) * 3 <= sessionTimeoutMs, {
    path: ['heartbeatIntervalMs'],
    error: 'at most a third of sessionTimeoutMs, so that one lost heartbeat costs nothing',
  })
  .refine(({ groupProtocol, assignors }) => groupProtocol === 'classic' || assignors === undefined, {
    path: ['assignors'],
    error: "left out with groupProtocol 'consumer', where the broker assigns (see serverAssignor)",
  })
  .refine(({ groupProtocol, serverAssignor }) => groupProtocol === 'consumer' || serverAssignor === undefined, {
    path: ['serverAssignor'],
    error: "left out with groupProtocol 'classic', where the members assign (see assignors)",
  })
  .transform((given) => ({
    ...given,
    assignors: given.assignors ?? (['cooperative-sticky'] as const),
    heartbeatIntervalMs: given.heartbeatIntervalMs ?? Math.min(3_000, Math.floor(given.sessionTimeoutMs / 3)),
  }))

export type SourceSettings = z.output<typeof schema>

/** Throws `HG_OPTION_INVALID`. */
export function sourceSettings(given: unknown): SourceSettings {
  return checked('kafka.source', schema, given)
}

export function shownSourceOptions(settings: SourceSettings): ShownOptions {
  return shownOptions(settings, schema)
}
