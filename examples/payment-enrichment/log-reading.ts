/**
 * Reads the embedded log without a pipeline: the naive consumer reads on and commits with these, the oracle reads
 * everything again. Positions are kept by partition: the offset of the next record to read.
 */
import type { Log, LogRecord } from 'headgate/log'

export type Positions = Map<number, number>

/** Where the group goes on: behind its last commit, or at the beginning. */
export function committedPositions(log: Log, topic: string, group: string): Positions {
  const positions: Positions = new Map(partitionsOf(log, topic).map((partition) => [partition, 0]))
  const info = log.groups().find((each) => each.group === group && each.topic === topic)
  for (const { partition, nextOffset } of info?.partitions ?? []) positions.set(partition, nextOffset)
  return positions
}

/** Stores the positions as the group's progress. */
export async function commitPositions(log: Log, topic: string, group: string, positions: Positions): Promise<void> {
  await Promise.all([...positions].map(([partition, offset]) => log.seek(group, topic, offset, { partition })))
}

/** The next records of all partitions, `most` a partition; moves the positions behind them. */
export function readOn(log: Log, topic: string, positions: Positions, most: number): LogRecord[] {
  const read: LogRecord[] = []
  for (const [partition, offset] of positions) {
    const { records, nextOffset } = log.read(topic, partition, offset, { maxRecords: most })
    read.push(...records)
    positions.set(partition, nextOffset)
  }
  return read
}

export interface Stored<T> {
  readonly partition: number
  readonly offset: number
  readonly value: T
}

/** Every record of a topic with its value parsed, partition by partition; nothing for a topic that is not there. */
export function* readAll<T>(log: Log, topic: string): Generator<Stored<T>> {
  for (const partition of partitionsOf(log, topic)) {
    for (let offset = 0; ; ) {
      const { records, nextOffset } = log.read(topic, partition, offset, { maxRecords: 1_000 })
      if (records.length === 0) break
      for (const record of records) yield { partition, offset: record.offset, value: parsed<T>(record) }
      offset = nextOffset
    }
  }
}

export function parsed<T>(record: LogRecord): T {
  return JSON.parse(new TextDecoder().decode(record.value)) as T
}

function partitionsOf(log: Log, topic: string): number[] {
  const found = log.topics().find(({ name }) => name === topic)
  return found ? found.partitions.map(({ partition }) => partition) : []
}
