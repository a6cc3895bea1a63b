/**
 * Opens what keeps the dead letters for one command and closes it afterwards, whatever happens: a directory with
 * `--log`, a cluster with `--kafka`. Each is imported only when it is asked for.
 */
import { CliFailure } from '../failure.ts'
import type { DeadLetterStore } from './store.ts'

export interface StoreOptions {
  readonly topic: string
  readonly log?: string
  readonly kafka?: readonly string[]
  /** A JSON file with how to connect: `tls`, `sasl` and the like, as in `kafka.source`. */
  readonly kafkaOptions?: string
}

export async function withStore<R>(options: StoreOptions, work: (store: DeadLetterStore) => Promise<R>): Promise<R> {
  const store = await open(options)
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

async function open({ topic, log, kafka, kafkaOptions }: StoreOptions): Promise<DeadLetterStore> {
  if ((log === undefined) === (kafka === undefined)) {
    throw new CliFailure(log === undefined ? 'nothing says where the dead letters are' : 'only one place at a time', {
      advice: 'Give --log DIR for an embedded log, or --kafka HOST:PORT for Kafka.',
    })
  }
  if (kafka !== undefined) {
    const { openKafkaStore } = await import('./kafka-store.ts')
    return openKafkaStore(kafka, topic, kafkaOptions)
  }
  if (kafkaOptions !== undefined) throw new CliFailure('--kafka-options belongs to --kafka')
  const [{ openExisting }, { LogStore }] = await Promise.all([import('../log/open.ts'), import('./log-store.ts')])
  return new LogStore(await openExisting(log as string), topic)
}
