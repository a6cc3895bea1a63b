/** Opens a source as a group and commits one offset in each partition, then gives the group up. */
import { type Log, source } from '../../../../src/connectors/log/index.ts'
import type { Assignment } from '../../../../src/model/connector.ts'
import { SILENT_LOGGER } from '../../../../src/model/logger.ts'

export async function commitAs(
  log: Log,
  group: string,
  offsets: readonly number[],
  acked: (name: string, work: Promise<unknown>) => Promise<void>,
): Promise<void> {
  const consumer = source({ log, topic: 't', group })
  const { signal } = new AbortController()
  let mine: readonly Assignment[] = []
  const context = {
    onAssigned: (assignments: readonly Assignment[]) => {
      mine = assignments
    },
    onRevoked: async () => {},
    onLost: () => {},
    log: SILENT_LOGGER,
  }
  await acked('open', consumer.open(context, signal))
  const positions = mine.map(({ partition, epoch }, index) => {
    return { partition, epoch, nextOffset: offsets[index] as number, doneAhead: Uint8Array.of(index) }
  })
  await acked('commit', consumer.commit(positions))
  await acked('close', consumer.close(signal))
}
