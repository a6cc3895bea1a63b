/** Makes the dead letter of an item: the record as it arrived, why it failed, and where it came from. */
import type { DeadLetter } from '../model/connector.ts'
import type { Failure, Item } from './item.ts'

export function deadLetterOf(item: Item, sourceNames: readonly string[], nowEpochMs: number): DeadLetter {
  const { error, stage, attempts } = item.failure as Failure
  const { value, key, partition, offset, timestampMs, headers, bytes } = item.record
  return {
    value,
    reason: { code: error.code, message: error.message },
    stage,
    attempts,
    failedAtMs: Math.round(nowEpochMs),
    origin: {
      source: sourceNames[item.partition.sourceIndex] as string,
      key,
      partition,
      offset,
      timestampMs,
      headers,
      bytes,
    },
  }
}
