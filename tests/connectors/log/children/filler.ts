/**
 * Appends until it is refused, and shows what still works: reading, and on a full disk also trimming, committing and
 * appending. The parent gives it a small disk (`full`) or one that fails (`failing`).
 */
import { openLog, sink } from '../../../../src/connectors/log/index.ts'
import { HeadgateError } from '../../../../src/model/errors.ts'
import { SILENT_LOGGER } from '../../../../src/model/logger.ts'
import { NO_HEADERS } from '../../../../src/model/record.ts'
import { commitAs } from './commit-as.ts'
import { say } from './say.ts'

const [directory, kind] = process.argv.slice(2) as [string, 'full' | 'failing']
let log = await openLog(directory)
await log.createTopic('t', { partitions: 1 })
const value = Buffer.alloc(50_000, 7)
let stored = 0

/** Returns what the first refused append was refused with. */
async function fill(): Promise<HeadgateError> {
  for (;;) {
    const results = await Promise.allSettled([0, 1, 2].map(() => log.append('t', [{ value }])))
    stored += results.filter(({ status }) => status === 'fulfilled').length
    for (const result of results) if (result.status === 'rejected') return result.reason as HeadgateError
  }
}

function readable(): number {
  let at = log.bounds('t', 0).firstOffset
  for (let records = 0; ; ) {
    const chunk = log.read('t', 0, at)
    if (chunk.records.length === 0) return records
    records += chunk.records.length
    at = chunk.nextOffset
  }
}

/** Or the code of why not. */
function readableNow(): number | string {
  try {
    return readable()
  } catch (error) {
    return error instanceof HeadgateError ? error.code : String(error)
  }
}

const { code, message } = await fill()
say({ refused: { code, message }, stored, readable: readableNow() })
if (kind === 'failing') {
  const again = await log.append('t', [{ value: 'small' }]).catch((error: unknown) => error)
  say({ again: again instanceof HeadgateError ? again.message : 'stored' })
  await log.close()
  log = await openLog(directory)
  say({ reopened: readable() })
  process.exit(0)
}

const to = sink<unknown>({ log, topic: 't', encode: () => value })
const { signal } = new AbortController()
await to.open({ log: SILENT_LOGGER }, signal)
const origin = { key: null, partition: 'p', offset: 0, timestampMs: 0, headers: NO_HEADERS, bytes: 1 }
const many = Array.from({ length: 50 }, () => origin)
const overload = await to.write({ values: many, origins: many }, signal).catch((error: unknown) => error)
say({ sink: overload instanceof HeadgateError ? [overload.code, overload.retryAfterMs] : overload })
await to.close(signal)

await log.trim('t', { beforeOffset: stored - 2 })
await commitAs(log, 'g', [stored - 1], async (_, work) => void (await work))
const before = stored
await fill()
say({ storedAgain: stored - before, readable: readable() })
await log.close()
log = await openLog(directory)
say({ reopened: readable(), progress: log.groups()[0]?.partitions[0]?.nextOffset, of: before })
process.exit(0)
