/** The embedded log through its public API (`headgate/log`): one topic of one partition. */
import { loadLog } from '../headgate.ts'
import { BATCH, type OpenStore } from './workload.ts'

const TOPIC = 'bench'

export const openStore: OpenStore = async (directory) => {
  const { openLog } = await loadLog()
  const log = await openLog(directory)
  await log.createTopic(TOPIC, { partitions: 1 })
  return {
    append: (values) =>
      log.append(
        TOPIC,
        values.map((value) => ({ key: null, value })),
      ),
    read(index) {
      const read = log.read(TOPIC, 0, index * BATCH, { maxRecords: BATCH, maxBytes: 2 ** 30 })
      let bytes = 0
      for (const record of read.records) bytes += record.value.length
      return { records: read.records.length, bytes }
    },
    close: () => log.close(),
  }
}
