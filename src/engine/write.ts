/** One write in progress: what the sink is handed, and the chunks that it came from. */
import type { SinkBatch } from '../model/connector.ts'
import type { RecordInfo } from '../model/record.ts'
import type { Chunk } from './chunk.ts'
import type { Item } from './item.ts'

export class Write implements SinkBatch<unknown> {
  readonly chunks: readonly Chunk[]
  readonly values: readonly unknown[]
  readonly startedMs: number
  readonly bytes: number
  #origins: readonly RecordInfo[] | null = null

  /** `values`: what is written of the chunks' places, one after the other. */
  constructor(chunks: readonly Chunk[], values: readonly unknown[], startedMs: number) {
    this.chunks = chunks
    this.values = values
    this.startedMs = startedMs
    this.bytes = chunks.reduce((sum, chunk) => sum + chunk.bytes, 0)
  }

  get records(): number {
    return this.values.length
  }

  /** Where each value came from; made when a sink asks for it. */
  get origins(): readonly RecordInfo[] {
    this.#origins ??= this.chunks.flatMap((chunk) => chunk.values.map((_, at) => chunk.recordAt(at)))
    return this.#origins
  }

  /** All of it as items; the chunks are used up. */
  toItems(): Item[] {
    return this.chunks.flatMap((chunk) => chunk.toItems())
  }
}
