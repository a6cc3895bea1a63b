/**
 * Reads from the brokers what they have stored, each thing once: the records of a topic, and every commit that the group
 * ever made, from the topic that brokers keep commits in. Invariant: commits of a partition come in the order of their
 * storage; the layouts are those of Kafka's GroupMetadataManager (OffsetCommitKey, OffsetCommitValue).
 */

import { decodeMetadata } from '../../../../src/connectors/kafka/commit/metadata.ts'
import { TopicReader } from '../../../../src/connectors/kafka/topic-reader.ts'
import { decodeDoneSet } from '../../../../src/engine/done-set.ts'
import { SILENT_LOGGER } from '../../../../src/model/logger.ts'
import { connecting } from './load.ts'
import type { Work } from './setup.ts'
import type { StoredCommit, StoredRecord } from './timeline.ts'

const COMMITS = '__consumer_offsets'
const never = new AbortController().signal

export class Stored {
  readonly #brokers: readonly string[]
  readonly #topic: string
  readonly #readTo = new Map<string, number>()

  constructor(brokers: readonly string[], topic: string) {
    this.#brokers = brokers
    this.#topic = topic
  }

  /** What is new. */
  async records(): Promise<StoredRecord[]> {
    const records: StoredRecord[] = []
    await this.#read(this.#topic, (partition, { offset, value }) => {
      records.push({ ...(JSON.parse(Buffer.from(value!).toString()) as Work), partition, offset })
    })
    return records
  }

  /** What is new of the topic's partitions. Empty before the group's first commit. */
  async commits(): Promise<StoredCommit[]> {
    const commits: StoredCommit[] = []
    await this.#read(COMMITS, (_, { key, value }) => {
      const commit = key && value && decodeCommit(Buffer.from(key), Buffer.from(value))
      if (commit?.group === this.#topic && commit.topic === this.#topic) commits.push(commit)
    })
    return commits
  }

  async #read(
    topic: string,
    each: (partition: number, record: { offset: number; key: Uint8Array | null; value: Uint8Array | null }) => void,
  ): Promise<void> {
    const reader = await TopicReader.open(
      { ...connecting(this.#brokers), requestTimeoutMs: 60_000 },
      topic,
      SILENT_LOGGER,
      never,
    )
    try {
      for (const { partition, endOffset } of await reader.ranges()) {
        const place = `${topic}/${partition}`
        for (let at = this.#readTo.get(place) ?? 0; at < endOffset; ) {
          const { records, nextOffset } = await reader.read(partition, at)
          for (const record of records) each(partition, record)
          this.#readTo.set(place, (at = nextOffset))
        }
      }
    } finally {
      reader.close()
    }
  }
}

interface GroupCommit extends StoredCommit {
  readonly group: string
  readonly topic: string
}

/** Null for what is no commit: such topics hold the groups' members too. */
function decodeCommit(key: Buffer, value: Buffer): GroupCommit | null {
  if (key.readInt16BE(0) > 1) return null
  let at = 2
  const text = (from: Buffer): string => {
    const length = from.readInt16BE(at)
    at += 2 + length
    return from.toString('utf8', at - length, at)
  }
  // Of at most 126 bytes, or its length would take more than one.
  const compactText = (from: Buffer): string => {
    const start = at + 1
    at += from[at]!
    return from.toString('utf8', start, at)
  }
  const [group, topic] = [text(key), text(key)]
  const partition = key.readInt32BE(at)
  const version = value.readInt16BE(0)
  if (version < 0 || version > 4) throw new Error(`a commit is stored in version ${version}`)
  const nextOffset = Number(value.readBigInt64BE(2))
  at = version >= 3 ? 14 : 10
  const metadata = version < 4 ? text(value) : compactText(value)
  const atMs = Number(value.readBigInt64BE(at))
  const { doneAhead, isForeign } = decodeMetadata(metadata)
  const ahead = doneAhead ? decodeDoneSet(nextOffset, doneAhead) : []
  if (isForeign || !ahead) throw new Error(`the metadata of ${topic}/${partition} cannot be read: ${metadata}`)
  return { group, topic, partition, nextOffset, ahead, atMs }
}
