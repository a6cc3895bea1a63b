/**
 * `headgate log append`: newline-delimited JSON into a topic. Records are appended a batch at a time, with one batch
 * being written while the next is read, so memory stays bounded however large the file is. A batch is stored wholly
 * or not at all; when a line is wrong, the lines before it have been appended, and the command says how many.
 */

import type { Entry, Log } from '../../connectors/log/index.ts'
import { bytes, count, duration, percent, rate } from '../../console/terminal/figures.ts'
import { formatCount } from '../../model/units.ts'
import { CliFailure, EXIT } from '../failure.ts'
import { OUTPUT } from '../output.ts'
import { progressLine } from '../progress.ts'
import { keyOf, readLines } from './ndjson.ts'
import { type LogOptions, withLog } from './open.ts'

const BATCH_RECORDS = 5_000
const BATCH_BYTES = 4 * 1024 * 1024

export interface AppendOptions extends LogOptions {
  readonly key?: string
  readonly partitions?: number
}

export function append(topic: string, file: string, options: AppendOptions): Promise<void> {
  return withLog(options, (log) => appendAll(log, topic, file, options), true)
}

async function appendAll(log: Log, topic: string, file: string, { key, partitions }: AppendOptions): Promise<void> {
  await log.createTopic(topic, partitions === undefined ? {} : { partitions })
  const beganMs = performance.now()
  const done = { records: 0, bytes: 0, withoutKey: 0 }
  const progress = progressLine()
  let batch: Entry[] = []
  let batchBytes = 0
  let writing: Promise<unknown> = Promise.resolve()

  const flush = async (): Promise<void> => {
    await writing
    const entries = batch
    const size = batchBytes
    batch = []
    batchBytes = 0
    writing = log.append(topic, entries).then(() => {
      done.records += entries.length
      done.bytes += size
    })
    // Awaited by the next flush; until then a failure must not count as unhandled.
    writing.catch(() => {})
  }

  try {
    for await (const line of readLines(file)) {
      const found = key === undefined ? null : keyOf(line.value, key)
      if (key !== undefined && found === null) done.withoutKey += 1
      batch.push({ key: found, value: line.text })
      batchBytes += Buffer.byteLength(line.text)
      if (batch.length >= BATCH_RECORDS || batchBytes >= BATCH_BYTES) await flush()
      progress.show(() => {
        const share = line.progress === null ? '' : ` (${percent(line.progress)})`
        return `appended ${count(done.records)} records, ${bytes(done.bytes)}${share}`
      })
    }
    await flush()
    await writing
  } catch (error) {
    await flush().catch(() => {})
    await writing.catch(() => {})
    progress.clear()
    if (error instanceof CliFailure) throw stopped(error, done.records)
    throw error
  }
  progress.clear()

  const ms = performance.now() - beganMs
  const speed = rate((done.records * 1000) / Math.max(1, ms))
  OUTPUT.say(
    `Appended ${formatCount(done.records, 'record')} (${bytes(done.bytes)}) to ${topic} in ${duration(ms)}, ${speed}.`,
  )
  if (done.withoutKey > 0) {
    OUTPUT.say(
      `${count(done.withoutKey)} of them ${done.withoutKey === 1 ? 'has' : 'have'} no field '${key}' and so no key.`,
    )
  }
}

function stopped(error: CliFailure, records: number): CliFailure {
  const before = records === 0 ? 'Nothing was appended.' : `Appended before it: ${formatCount(records, 'record')}.`
  return new CliFailure(error.message, {
    exitCode: records === 0 ? error.exitCode : EXIT.failed,
    advice: [error.advice, before].filter(Boolean).join('\n'),
    cause: error.cause,
  })
}
