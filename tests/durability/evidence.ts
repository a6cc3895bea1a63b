/** Collects from the log, for the oracle, what is new since the run before: records, results, letters, progress. */
import type { Log } from 'headgate/log'
import { decodeDoneSet } from '../../src/engine/done-set.ts'
import type { Line } from '../connectors/log/child.ts'
import { text } from '../connectors/log/fresh-log.ts'
import type { Letter, Run } from './oracle.ts'
import { GROUP, type Result, TOPICS, type Work } from './work.ts'

interface StoredLetter {
  readonly attempts: number
  readonly origin: { readonly partition: string; readonly offset: number }
}

export class Evidence {
  readonly #log: Log
  /** Where each partition was read up to, by topic. */
  readonly #readTo = new Map<string, number[]>()

  constructor(log: Log) {
    this.#log = log
  }

  /** `lines`: what the run said. */
  collect(lines: readonly Line[]): Run {
    const broken = lines.filter((line) => 'broken' in line)
    if (broken.length > 0) throw new Error(`the pipeline says: ${broken.map((line) => line['broken']).join(', ')}`)
    return {
      // Results first: whatever they came from was appended before.
      results: this.#fresh<Result>(TOPICS.out),
      letters: this.#fresh<StoredLetter>(TOPICS.dead).map((stored) =>
        stored.map(({ attempts, origin: { partition, offset } }): Letter => {
          return { partition: Number(partition.split('/').at(-1)), offset, attempts }
        }),
      ),
      progress: this.progress(),
      attempts: lines.flatMap((line) => {
        if (!('call' in line)) return []
        const [partition, offset, attempt] = line['call'] as [number, number, number]
        return [{ partition, offset, attempt }]
      }),
      appended: this.#fresh<Work>(TOPICS.in),
    }
  }

  /** The group's stored progress; the beginning, for a group that has none. */
  progress(): Run['progress'] {
    const { groups, topics, store } = this.#log.shared
    store.refresh()
    return topics.get(TOPICS.in).partitions.map((partition) => {
      const stored = groups.progress(GROUP, partition)
      if (!stored) return { nextOffset: 0, ahead: [] }
      const { nextOffset, doneAhead } = stored
      const ahead = doneAhead ? decodeDoneSet(nextOffset, doneAhead) : []
      if (!ahead) throw new Error(`the progress of ${partition.name} cannot be read`)
      return { nextOffset, ahead }
    })
  }

  #fresh<T>(topic: string): T[][] {
    const found = this.#log.topics().find(({ name }) => name === topic)
    const readTo = this.#readTo.get(topic) ?? []
    this.#readTo.set(topic, readTo)
    return (found?.partitions ?? []).map(({ partition }) => {
      const values: T[] = []
      for (let at = readTo[partition] ?? 0; ; ) {
        const { records, nextOffset } = this.#log.read(topic, partition, at, { maxRecords: 1_000 })
        for (const record of records) values.push(JSON.parse(text(record)) as T)
        readTo[partition] = nextOffset
        if (records.length === 0) return values
        at = nextOffset
      }
    })
  }
}
