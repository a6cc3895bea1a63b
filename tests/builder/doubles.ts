/** Sources and sinks that do nothing, for plans that are built and never run; and a reader of refusals. */
import type {
  DeadLetter,
  Decoder,
  Sink,
  SinkCapabilities,
  Source,
  SourceCapabilities,
} from '../../src/model/connector.ts'
import { HeadgateError } from '../../src/model/errors.ts'

export interface Payment {
  readonly id: string
  readonly amount: number
  readonly note: string | null
}

export function sourceOf<T = Payment>(
  name = 'payments',
  decode?: Decoder<T>,
  capabilities: Partial<SourceCapabilities> = {},
): Source<T> {
  return {
    name,
    capabilities: { backlog: 'exact', metadataBytes: 4096, replayable: true, ...capabilities },
    decode,
    open: async () => {},
    pull: async () => ({ batches: [], ended: true }),
    held: () => ({ records: 0, bytes: 0 }),
    commit: async () => {},
    backlog: async () => [],
    quiesce: async () => {},
    close: async () => {},
  }
}

export function sinkOf<T = unknown>(name = 'enriched', capabilities: Partial<SinkCapabilities> = {}): Sink<T> {
  return {
    name,
    capabilities: {
      maxBatchRecords: Number.POSITIVE_INFINITY,
      maxInFlightWrites: 4,
      idempotent: true,
      atomic: false,
      ...capabilities,
    },
    open: async () => {},
    write: async () => 'written',
    close: async () => {},
  }
}

export const deadSink = (name = 'dead'): Sink<DeadLetter> => sinkOf<DeadLetter>(name)

/** The message of the refusal that `build` ends in; fails when it ends in none, or in another error. */
export function refusal(build: () => unknown): string {
  try {
    build()
  } catch (error) {
    if (error instanceof HeadgateError && error.code === 'HG_OPTION_INVALID') return error.message
    throw error
  }
  throw new Error('nothing was refused')
}
