/**
 * Where everything is in a batch of the present format (magic 2; KIP-98). `decode.ts` and `encode.ts` share it.
 *
 * First offset i64, length of the rest i32, leader epoch i32, magic i8, CRC-32C u32 (of all that follows), attributes
 * i16, last offset delta i32, first and highest timestamp i64, producer id i64, producer epoch i16, first sequence
 * i32, number of records i32, records. Each record: length, attributes i8, timestamp delta, offset delta, key, value,
 * headers, all lengths and deltas as varints.
 */

/** First offset and length, which all formats start with. */
export const PREFIX_BYTES = 12
export const LENGTH_AT = 8
export const LEADER_EPOCH_AT = 12
export const MAGIC_AT = 16
export const CRC_AT = 17
export const ATTRIBUTES_AT = 21
export const LAST_OFFSET_DELTA_AT = 23
export const BASE_TIMESTAMP_AT = 27
export const MAX_TIMESTAMP_AT = 35
export const PRODUCER_ID_AT = 43
export const PRODUCER_EPOCH_AT = 51
export const BASE_SEQUENCE_AT = 53
export const COUNT_AT = 57
export const RECORDS_AT = 61

export const COMPRESSION_BITS = 7
export const APPEND_TIME_BIT = 8
export const TRANSACTIONAL_BIT = 16
export const CONTROL_BIT = 32
