/**
 * What a broker's error codes mean, and what to do about them. Everyone who reads an `errorCode` asks here. Invariant:
 * each code stands once, with a name as in Kafka's own documentation, and an unknown code is still a sentence.
 */
import { type ErrorCode, HeadgateError } from '../../../model/errors.ts'

/** Codes that the code reacts to by name. */
export const NONE = 0
export const OFFSET_OUT_OF_RANGE = 1
export const UNKNOWN_TOPIC_OR_PARTITION = 3
export const LEADER_NOT_AVAILABLE = 5
export const NOT_LEADER_OR_FOLLOWER = 6
export const REQUEST_TIMED_OUT = 7
export const OFFSET_METADATA_TOO_LARGE = 12
export const COORDINATOR_LOAD_IN_PROGRESS = 14
export const COORDINATOR_NOT_AVAILABLE = 15
export const NOT_COORDINATOR = 16
export const ILLEGAL_GENERATION = 22
export const INCONSISTENT_GROUP_PROTOCOL = 23
export const UNKNOWN_MEMBER_ID = 25
export const REBALANCE_IN_PROGRESS = 27
export const TOPIC_AUTHORIZATION_FAILED = 29
export const GROUP_AUTHORIZATION_FAILED = 30
export const UNSUPPORTED_VERSION = 35
export const INVALID_PRODUCER_EPOCH = 47
export const CONCURRENT_TRANSACTIONS = 51
export const FENCED_LEADER_EPOCH = 74
export const UNKNOWN_LEADER_EPOCH = 75
export const OFFSET_NOT_AVAILABLE = 78
export const MEMBER_ID_REQUIRED = 79
export const FENCED_INSTANCE_ID = 82
export const UNSTABLE_OFFSET_COMMIT = 88
export const PRODUCER_FENCED = 90
export const UNKNOWN_TOPIC_ID = 100
export const INCONSISTENT_TOPIC_ID = 103
export const FENCED_MEMBER_EPOCH = 110
export const UNRELEASED_INSTANCE_ID = 111
export const UNSUPPORTED_ASSIGNOR = 112
export const STALE_MEMBER_EPOCH = 113

/** `retry`: ask again after a pause · `metadata`: look up leaders first · `coordinator`: look up the coordinator first. */
export type Remedy = 'retry' | 'metadata' | 'coordinator' | 'none'

interface Meaning {
  readonly name: string
  readonly remedy: Remedy
  readonly code: ErrorCode
  /** A sentence without its full stop: what is wrong, and what to do where someone can. */
  readonly text: string
}

const meaning = (name: string, remedy: Remedy, code: ErrorCode, text: string): Meaning => ({ name, remedy, code, text })
const lost = (name: string, remedy: Remedy, text: string): Meaning => meaning(name, remedy, 'HG_CONNECTION_LOST', text)
const wrong = (name: string, text: string): Meaning => meaning(name, 'none', 'HG_OPTION_INVALID', text)
const fencing = (name: string, text: string): Meaning => meaning(name, 'none', 'HG_FENCED', text)

const MEANINGS: Readonly<Record<number, Meaning>> = {
  [-1]: lost('UNKNOWN_SERVER_ERROR', 'retry', 'the broker failed for a reason that it did not name: see its log'),
  1: meaning('OFFSET_OUT_OF_RANGE', 'none', 'HG_STORAGE', 'the offset is not in the partition (any more)'),
  2: meaning('CORRUPT_MESSAGE', 'retry', 'HG_STORAGE', 'a record failed its checksum'),
  3: lost('UNKNOWN_TOPIC_OR_PARTITION', 'metadata', 'the topic or partition does not exist on this broker'),
  5: lost('LEADER_NOT_AVAILABLE', 'metadata', 'the partition has no leader at the moment: are all brokers up?'),
  6: lost('NOT_LEADER_OR_FOLLOWER', 'metadata', 'the partition has moved to another broker'),
  7: lost('REQUEST_TIMED_OUT', 'retry', 'the broker did not finish in time'),
  8: lost('BROKER_NOT_AVAILABLE', 'metadata', 'the broker is not available'),
  9: lost('REPLICA_NOT_AVAILABLE', 'metadata', 'the replica is not available'),
  10: meaning('MESSAGE_TOO_LARGE', 'none', 'HG_RECORD_REJECTED', "a record or its batch is larger than the topic's max.message.bytes: make records smaller, or raise it"),
  12: meaning('OFFSET_METADATA_TOO_LARGE', 'none', 'HG_COMMIT_FAILED', "the commit's metadata is larger than the broker's offset.metadata.max.bytes: set `metadataBytes` to that figure"),
  14: lost('COORDINATOR_LOAD_IN_PROGRESS', 'retry', 'the coordinator is loading its state'),
  15: lost('COORDINATOR_NOT_AVAILABLE', 'coordinator', 'there is no coordinator at the moment: is the topic __consumer_offsets (or __transaction_state) healthy, and its replication factor not above the number of brokers?'),
  16: lost('NOT_COORDINATOR', 'coordinator', 'the coordinator has moved to another broker'),
  17: wrong('INVALID_TOPIC_EXCEPTION', 'the name of the topic is not valid, or the topic is internal'),
  18: meaning('RECORD_LIST_TOO_LARGE', 'none', 'HG_RECORD_REJECTED', "the batch is larger than the topic's segment.bytes"),
  19: lost('NOT_ENOUGH_REPLICAS', 'retry', "fewer replicas are in sync than the topic's min.insync.replicas: are all brokers up?"),
  20: lost('NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'retry', 'the record was written to fewer replicas than min.insync.replicas'),
  22: fencing('ILLEGAL_GENERATION', 'the group has gone on without this member: its partitions are assigned anew'),
  23: wrong('INCONSISTENT_GROUP_PROTOCOL', 'the members of the group have no assignor in common: give all of them the same `assignors`, or stop the others (another library, say) before this one joins'),
  24: wrong('INVALID_GROUP_ID', 'the name of the group is not valid'),
  25: fencing('UNKNOWN_MEMBER_ID', 'the group does not know this member (any more): its session expired, and its partitions are assigned anew'),
  26: wrong('INVALID_SESSION_TIMEOUT', "`sessionTimeoutMs` is outside the broker's group.min.session.timeout.ms to group.max.session.timeout.ms"),
  27: meaning('REBALANCE_IN_PROGRESS', 'retry', 'HG_COMMIT_FAILED', 'the group is being rebalanced'),
  28: meaning('INVALID_COMMIT_OFFSET_SIZE', 'none', 'HG_COMMIT_FAILED', 'the commit is too large for the broker'),
  29: wrong('TOPIC_AUTHORIZATION_FAILED', 'this user may not use the topic: grant it READ (source) or WRITE (sink), and DESCRIBE'),
  30: wrong('GROUP_AUTHORIZATION_FAILED', 'this user may not use the group: grant it READ on the group'),
  31: wrong('CLUSTER_AUTHORIZATION_FAILED', 'this user may not do this on the cluster: grant it the permission that the request needs (IDEMPOTENT_WRITE for a sink on old brokers)'),
  33: wrong('UNSUPPORTED_SASL_MECHANISM', "the broker does not offer this `sasl.mechanism`: see its sasl.enabled.mechanisms"),
  34: wrong('ILLEGAL_SASL_STATE', 'the broker expects an authentication first: give `sasl`, or connect to a listener without it'),
  35: wrong('UNSUPPORTED_VERSION', 'the broker does not support this request in a version that is known here: Kafka 3.0 or newer is needed, and `groupProtocol` \'consumer\' needs 4.0, or 3.7 with the feature enabled'),
  38: wrong('INVALID_REPLICATION_FACTOR', 'there are fewer brokers than the replication factor asks for'),
  42: wrong('INVALID_REQUEST', 'the broker refused the request as invalid'),
  45: fencing('OUT_OF_ORDER_SEQUENCE_NUMBER', 'batches of the producer arrived out of order: it must be made anew'),
  47: fencing('INVALID_PRODUCER_EPOCH', 'a newer producer has taken over: is there another process with the same transactional id?'),
  48: fencing('INVALID_TXN_STATE', 'the transaction is not in a state that allows this'),
  49: fencing('INVALID_PRODUCER_ID_MAPPING', 'the producer id does not belong to the transactional id (any more)'),
  50: wrong('INVALID_TRANSACTION_TIMEOUT', "the transaction's time-out is above the broker's transaction.max.timeout.ms"),
  51: lost('CONCURRENT_TRANSACTIONS', 'retry', 'the previous transaction is still being completed'),
  52: lost('TRANSACTION_COORDINATOR_FENCED', 'coordinator', 'the coordinator of the transaction has moved'),
  53: wrong('TRANSACTIONAL_ID_AUTHORIZATION_FAILED', 'this user may not use the transactional id: grant it WRITE and DESCRIBE on it'),
  56: lost('KAFKA_STORAGE_ERROR', 'metadata', "the broker's disk failed"),
  58: wrong('SASL_AUTHENTICATION_FAILED', 'the broker refused the credentials: check `sasl`'),
  59: fencing('UNKNOWN_PRODUCER_ID', 'the broker has forgotten the producer: it must be made anew'),
  60: lost('REASSIGNMENT_IN_PROGRESS', 'retry', 'a reassignment is in progress'),
  72: lost('LISTENER_NOT_FOUND', 'metadata', 'the leader has no listener of the kind that is connected to'),
  74: lost('FENCED_LEADER_EPOCH', 'metadata', 'the partition has a newer leader'),
  75: lost('UNKNOWN_LEADER_EPOCH', 'metadata', 'the broker does not know of the newer leader yet'),
  76: meaning('UNSUPPORTED_COMPRESSION_TYPE', 'none', 'HG_STORAGE', 'the broker does not support this compression'),
  78: lost('OFFSET_NOT_AVAILABLE', 'retry', 'the leader is new and does not know its high watermark yet'),
  79: meaning('MEMBER_ID_REQUIRED', 'retry', 'HG_CONNECTION_LOST', 'the member has to join with the id that it was given'),
  81: wrong('GROUP_MAX_SIZE_REACHED', "the group has as many members as the broker's group.max.size allows"),
  82: wrong('FENCED_INSTANCE_ID', 'another process has joined with the same `groupInstanceId`: each process needs its own'),
  87: meaning('INVALID_RECORD', 'none', 'HG_RECORD_REJECTED', 'the broker refused the record as invalid (a compacted topic needs keys)'),
  88: lost('UNSTABLE_OFFSET_COMMIT', 'retry', 'a transaction that holds offsets of this partition is not finished yet'),
  89: lost('THROTTLING_QUOTA_EXCEEDED', 'retry', 'a quota is used up'),
  90: fencing('PRODUCER_FENCED', 'a newer producer has taken over: is there another process with the same transactional id?'),
  100: lost('UNKNOWN_TOPIC_ID', 'metadata', 'the topic does not exist (any more) on this broker'),
  103: lost('INCONSISTENT_TOPIC_ID', 'metadata', 'the topic was deleted and made anew'),
  106: lost('FETCH_SESSION_TOPIC_ID_ERROR', 'metadata', 'the topic was deleted and made anew'),
  110: fencing('FENCED_MEMBER_EPOCH', 'the group has gone on without this member: its partitions are assigned anew'),
  111: wrong('UNRELEASED_INSTANCE_ID', 'another process with the same `groupInstanceId` is in the group: each process needs its own'),
  112: wrong('UNSUPPORTED_ASSIGNOR', "the broker does not know this `assignors` for `groupProtocol: 'consumer'`: see its group.consumer.assignors"),
  113: meaning('STALE_MEMBER_EPOCH', 'retry', 'HG_COMMIT_FAILED', 'the group has moved to a newer epoch'),
  128: wrong('INVALID_REGULAR_EXPRESSION', 'the broker refused the regular expression'),
} // biome-ignore format: a table reads better in rows

/** `UNKNOWN_TOPIC_OR_PARTITION`, or `error 4711` for a code that is not known here. */
export function nameOf(code: number): string {
  return MEANINGS[code]?.name ?? `error ${code}`
}

/** What may help before the request is made again. */
export function remedyOf(code: number): Remedy {
  return MEANINGS[code]?.remedy ?? 'retry'
}

/**
 * The error for a code that came back for `what`, for example `the fetch of payments/3 from broker 2`. `detail`: what
 * the broker itself said.
 */
export function brokerError(code: number, what: string, detail: string | null = null): HeadgateError {
  const known = MEANINGS[code]
  const said = detail ? `; the broker says: ${detail.slice(0, 300)}` : ''
  if (known === undefined) {
    return new HeadgateError('HG_CONNECTION_LOST', `${what} failed with a code that is not known here, ${code}${said}`)
  }
  return new HeadgateError(known.code, `${what} failed: ${known.text} (${known.name})${said}`)
}
