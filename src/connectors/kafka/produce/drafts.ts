/**
 * Makes records of values: topic, partition, key, headers, bytes. The sink calls it for each write. Invariant: what a
 * value's own functions throw, or what cannot be stored, is that record's error; the others of the write go on.
 */

import type { SinkBatch } from '../../../model/connector.ts'
import { isDeadLetter } from '../../../model/dead-letter.ts'
import { describe, HeadgateError, reject } from '../../../model/errors.ts'
import { NO_HEADERS, type RecordInfo } from '../../../model/record.ts'
import type { EncodableRecord } from '../batch/encode.ts'
import { deadLetterRecord } from '../dead-letter.ts'
import { keyBytes } from './key.ts'
import type { SinkSettings } from './option.ts'
import { partitionOf } from './partitioner.ts'
import type { Draft } from './producer.ts'

/** A batch costs about so much for each record beside key and value. */
const RECORD_BYTES = 24

/** Resolves the number of a topic's partitions; rejects with what is to become of its records. */
export type Partitions = (topic: string) => Promise<number>

export class Drafts {
  readonly #name: string
  readonly #settings: SinkSettings
  /** For records without a key. */
  #turn = 0

  constructor(name: string, settings: SinkSettings) {
    this.#name = name
    this.#settings = settings
  }

  async of({ values, origins }: SinkBatch<unknown>, partitions: Partitions): Promise<(Draft | HeadgateError)[]> {
    const drafts: (Draft | HeadgateError)[] = []
    const counts = new Map<string, number | HeadgateError>()
    const nowMs = Date.now()
    this.#turn += 1
    for (let index = 0; index < values.length; index += 1) {
      const value = values[index]
      const origin = origins[index] as RecordInfo
      try {
        const topic = this.#topic(value, origin)
        let count = counts.get(topic)
        if (count === undefined) {
          count = await partitions(topic).catch((error: HeadgateError) => error)
          counts.set(topic, count)
        }
        drafts.push(typeof count === 'number' ? this.#draft(value, origin, topic, count, nowMs) : count)
      } catch (error) {
        drafts.push(this.#atFault(error))
      }
    }
    return drafts
  }

  #topic(value: unknown, origin: RecordInfo): string {
    const { topic } = this.#settings
    const name = typeof topic === 'string' ? topic : topic(value, origin)
    if (typeof name === 'string' && /^[A-Za-z0-9._-]{1,249}$/.test(name)) return name
    throw reject(`topic() must return the name of a topic, it returned ${describe(name)}`)
  }

  #draft(value: unknown, origin: RecordInfo, topic: string, partitions: number, nowMs: number): Draft {
    const { partitioner } = this.#settings
    const record = this.#record(value, origin, nowMs)
    const key = typeof record.key === 'string' ? Buffer.from(record.key) : record.key
    let partition: number
    if (partitioner) partition = partitioner(value, key, partitions)
    else partition = key === null ? this.#turn % partitions : partitionOf(key, partitions)
    if (!(Number.isInteger(partition) && partition >= 0 && partition < partitions)) {
      throw reject(`partitioner() must return a partition from 0 to ${partitions - 1}, it returned ${partition}`)
    }
    return { topic, partition, record: { ...record, key }, bytes: sizeOf(record) }
  }

  #record(value: unknown, origin: RecordInfo, nowMs: number): EncodableRecord {
    const { key, encode, headers, timestampMs, keyEncoding } = this.#settings
    const letter = encode === undefined && isDeadLetter(value) ? deadLetterRecord(value, keyEncoding, nowMs) : null
    const own = headers?.(value, origin)
    const chosen = key === undefined ? (letter?.key ?? origin.key) : key(value, origin)
    const at = timestampMs?.(value, origin) ?? nowMs
    if (!Number.isSafeInteger(at) || at < 0)
      throw reject(`timestampMs() must return epoch milliseconds, it returned ${at}`)
    return {
      key: typeof chosen === 'string' ? keyBytes(chosen, keyEncoding) : checkedBytes('key()', chosen),
      value: letter ? letter.value : checkedBytes('encode()', encode ? encode(value) : toStored(value)),
      headers: letter ? { ...letter.headers, ...own } : (own ?? NO_HEADERS),
      timestampMs: at,
    }
  }

  #atFault(error: unknown): HeadgateError {
    if (error instanceof HeadgateError && error.code !== 'HG_RECORD_REJECTED') return error
    return reject(`${this.#name} cannot store this record: ${describe(error)}`, { cause: error })
  }
}

function checkedBytes<V>(who: string, stored: V): V {
  if (stored === null || typeof stored === 'string' || stored instanceof Uint8Array) return stored
  throw reject(`${who} must return text, bytes or null, it returned ${typeof stored}`)
}

function toStored(value: unknown): string | Uint8Array | null {
  if (value === null || typeof value === 'string' || value instanceof Uint8Array) return value
  const text = JSON.stringify(value) as string | undefined
  if (text === undefined) throw reject(`${typeof value} has no JSON form: set encode`)
  return text
}

function sizeOf({ key, value, headers }: EncodableRecord): number {
  let bytes = RECORD_BYTES + lengthOf(key) + lengthOf(value)
  for (const [name, content] of Object.entries(headers)) bytes += 4 + name.length + lengthOf(content)
  return bytes
}

/** Text counts as the most it can take. */
function lengthOf(field: string | Uint8Array | null): number {
  if (field === null) return 0
  return typeof field === 'string' ? Buffer.byteLength(field) : field.length
}
