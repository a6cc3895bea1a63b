/** Consumes topic `t` as group `g`: tells what it read, commits it, and how a commit ended; until it is killed. */
import { openLog, source } from '../../../../src/connectors/log/index.ts'
import { SILENT_LOGGER } from '../../../../src/model/logger.ts'
import { say } from './say.ts'

const log = await openLog(process.argv[2] as string)
const consumer = source({ log, topic: 't', group: 'g' })
const { signal } = new AbortController()
let epoch = 0
await consumer.open(
  {
    onAssigned(assignments) {
      epoch = assignments[0]?.epoch ?? 0
      say({ assigned: assignments.map(({ nextOffset }) => nextOffset), epoch })
    },
    onRevoked: async () => {},
    onLost: (partitions) => say({ lost: partitions }),
    log: SILENT_LOGGER,
  },
  signal,
)
try {
  for (;;) {
    const credit = { records: 10, bytes: 1e6 }
    const { batches } = await consumer.pull({ credit, paused: new Set(), waitMs: 1_000, signal })
    for (const { partition, records } of batches) {
      say({ read: records.map(({ offset }) => offset) })
      const nextOffset = (records.at(-1)?.offset ?? 0) + 1
      await consumer.commit([{ partition, epoch, nextOffset, doneAhead: null }])
      say({ committed: nextOffset })
    }
  }
} catch (error) {
  say({ failed: (error as { code?: string }).code, message: (error as Error).message })
  process.exit(0)
}
