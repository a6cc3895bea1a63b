/** Items and partitions for tests of single parts of the engine. */
import { Item } from '../../src/engine/item.ts'
import { Span } from '../../src/engine/ledger.ts'
import { columnsOf, Lot } from '../../src/engine/lot.ts'
import { Partition } from '../../src/engine/partition.ts'
import { NO_HEADERS } from '../../src/model/record.ts'

export function newPartition(name = 'topic/0', index = 0): Partition {
  return new Partition({ partition: name, epoch: 1, nextOffset: 0, doneAhead: null }, 0, index)
}

export function newItem(partition: Partition, offset: number, key: string | null = null, bytes = 10): Item {
  const record = { key, partition: partition.name, offset, timestampMs: 0, headers: NO_HEADERS, bytes, value: offset }
  const columns = columnsOf({ partition: partition.name, epoch: partition.epoch, records: [record] })
  return new Item(null, new Lot(partition, columns, new Span(offset, columns.offsets, columns.timestampsMs)), 0, offset)
}
