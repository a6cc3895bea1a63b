/**
 * `headgate log tail`: prints records, merged over partitions by timestamp as far as they are at hand. With `--follow`
 * it looks for new ones until it is interrupted, which is its proper end. It reads a chunk at a time, so a large topic
 * needs no more memory than a small one.
 */
import { once } from 'node:events'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../../connectors/log/index.ts'
import { OUTPUT } from '../output.ts'
import type { Start } from '../values.ts'
import { MergedReader } from './merged-reader.ts'
import { chosenPartitions, type LogOptions, withLog } from './open.ts'
import { recordJson, recordLine } from './record-text.ts'

const LAST_RECORDS = 10
const CHUNK_RECORDS = 500
const LOOK_EVERY_MS = 100

export interface TailOptions extends LogOptions {
  /** Undefined: the last few of each partition, or the end with `follow`. */
  readonly from?: Start | undefined
  readonly partition?: number
  readonly follow?: boolean
  readonly json?: boolean
  readonly limit?: number
}

export function tail(topic: string, options: TailOptions): Promise<void> {
  return withLog(options, (log) => print(log, topic, options))
}

async function print(log: Log, topic: string, options: TailOptions): Promise<void> {
  const places = new Map(
    chosenPartitions(log, topic, options.partition).map((partition) => [
      partition,
      placeOf(log, topic, partition, options),
    ]),
  )
  const reader = new MergedReader(log, topic, places)
  const text = options.json ? recordJson : recordLine
  const interrupted = new AbortController()
  const stop = (): void => interrupted.abort()
  process.once('SIGINT', stop).once('SIGTERM', stop)
  process.stdout.once('close', stop)
  let left = options.limit ?? Number.POSITIVE_INFINITY
  let printed = 0
  while (left > 0 && !interrupted.signal.aborted) {
    const records = reader.next(Math.min(left, CHUNK_RECORDS))
    if (records.length > 0) OUTPUT.data(records.map(text).join('\n'))
    left -= records.length
    printed += records.length
    if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain', interrupted).catch(() => {})
    // A turn of the event loop: without it no signal would be heard while a large topic is printed.
    if (records.length > 0) {
      await setImmediate()
      continue
    }
    if (!options.follow) break
    await sleep(LOOK_EVERY_MS, undefined, { signal: interrupted.signal }).catch(() => {})
  }
  process.off('SIGINT', stop).off('SIGTERM', stop)
  if (printed === 0 && !options.follow) OUTPUT.say(`${topic} has no records there.`)
}

function placeOf(log: Log, topic: string, partition: number, { from, follow }: TailOptions): number {
  const { firstOffset, nextOffset } = log.bounds(topic, partition)
  if (from === 'earliest') return firstOffset
  if (from === 'latest') return nextOffset
  if (from !== undefined) return Math.min(Math.max(from, firstOffset), nextOffset)
  return follow ? nextOffset : Math.max(firstOffset, nextOffset - LAST_RECORDS)
}
