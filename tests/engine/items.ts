/** Items and partitions for tests of single parts of the engine. */
import { Chunk } from '../../src/engine/chunk.ts'
import { Item } from '../../src/engine/item.ts'
import { Span } from '../../src/engine/ledger.ts'
import { columnsOf, Lot } from '../../src/engine/lot.ts'
import { Partition } from '../../src/engine/partition.ts'
import { NO_HEADERS } from '../../src/model/record.ts'

export function newPartition(name = 'topic/0', index = 0): Partition {
  return new Partition({ partition: name, epoch: 1, nextOffset: 0, doneAhead: null }, 0, index)
}

export function newItem(partition: Partition, offset: number, key: string | null = null, bytes = 10): Item {
  return new Item(
    null,
    newLot(partition, offset, 1, bytes, () => key),
    0,
    offset,
  )
}

/** Records that nothing asynchronous has happened to; their values are their offsets, and so are their sequences. */
export function newRows(partition: Partition, offset: number, records: number, bytes = 10): Chunk {
  return rowsOf(newLot(partition, offset, records, bytes), offset)
}

/** The same, one for each of these keys. */
export function newKeyedRows(partition: Partition, offset: number, keys: readonly (string | null)[]): Chunk {
  return rowsOf(
    newLot(partition, offset, keys.length, 10, (row) => keys[row] as string | null),
    offset,
  )
}

function rowsOf(lot: Lot, offset: number): Chunk {
  const rows = Array.from({ length: lot.length }, (_, row) => row)
  return Chunk.ofRows(
    lot,
    rows,
    rows.map((row) => offset + row),
  )
}

function newLot(
  partition: Partition,
  from: number,
  length: number,
  bytes: number,
  keyOf: (row: number) => string | null = () => null,
): Lot {
  const records = Array.from({ length }, (_, row) => {
    const offset = from + row
    return {
      key: keyOf(row),
      partition: partition.name,
      offset,
      timestampMs: 0,
      headers: NO_HEADERS,
      bytes,
      value: offset,
    }
  })
  const columns = columnsOf({ partition: partition.name, epoch: partition.epoch, records })
  return new Lot(partition, columns, new Span(from, columns.offsets, columns.timestampsMs))
}
