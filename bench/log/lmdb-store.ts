/**
 * Raw LMDB doing what the embedded log has to do at least: one value a batch, each record findable in it, and an
 * acknowledgement only after the flush. Keys, timestamps, headers, checksums and retention are left out: this is the
 * floor that the log is measured against.
 */
import { open } from 'lmdb'
import { BATCH, type OpenStore } from './workload.ts'

export const openStore: OpenStore = async (directory) => {
  const db = open<Buffer, number>({ path: directory, encoding: 'binary', keyEncoding: 'uint32' })
  let next = 0
  return {
    async append(values) {
      const key = next
      next += 1
      const lengths = Buffer.allocUnsafe(4 * values.length)
      for (let at = 0; at < values.length; at += 1) lengths.writeUInt32LE((values[at] as Buffer).length, at * 4)
      await db.put(key, Buffer.concat([lengths, ...values]))
      await db.flushed
    },
    read(index) {
      const batch = db.get(index) as Buffer
      const values: Buffer[] = []
      let bytes = 0
      let from = 4 * BATCH
      for (let at = 0; at < BATCH; at += 1) {
        const length = batch.readUInt32LE(at * 4)
        values.push(batch.subarray(from, from + length))
        bytes += length
        from += length
      }
      return { records: values.length, bytes }
    },
    close: () => db.close(),
  }
}
