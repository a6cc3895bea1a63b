/**
 * The work that all sides of the log bench do alike: batches of a thousand records of one size, several in flight,
 * each acknowledged once it is durable; then reads of a thousand records at a time, from the first to the last and
 * over again. A side only says how one batch is stored and how one is read.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Contender } from '../harness.ts'

export const BATCH = 1000
const IN_FLIGHT = 8
/** Batches that the reads go over. */
const STORED = 100

export interface Store {
  /** Resolves when all records of the batch are on disk. */
  append(values: readonly Buffer[]): Promise<unknown>
  /** Reads the records of the batch that was appended as number `index`; how many there were, and their bytes. */
  read(index: number): Promise<{ records: number; bytes: number }> | { records: number; bytes: number }
  close(): Promise<unknown>
}

/** Opens a store in an empty directory, which is removed afterwards. */
export type OpenStore = (directory: string) => Promise<Store>

export function storeSide(open: OpenStore, operation: 'append' | 'read', bytes: number): Contender {
  const directory = mkdtempSync(join(tmpdir(), 'headgate-bench-'))
  const values = Array.from({ length: BATCH }, (_, index) => Buffer.alloc(bytes, `value ${index} `))
  let store: Store | undefined
  let stored = 0

  const append = async (batches: number): Promise<void> => {
    let left = batches
    const line = async (): Promise<void> => {
      while (left > 0) {
        left -= 1
        await store?.append(values)
      }
    }
    await Promise.all(Array.from({ length: IN_FLIGHT }, line))
    stored += batches
  }

  return {
    warm: operation === 'append' ? 20 * BATCH : STORED * BATCH,
    seconds: 2,
    async prepare() {
      store ??= await open(directory)
      if (operation === 'read' && stored === 0) await append(STORED)
    },
    async run(n) {
      const batches = Math.ceil(n / BATCH)
      if (operation === 'append') return append(batches)
      for (let index = 0; index < batches; index += 1) {
        const read = await (store as Store).read(index % STORED)
        if (read.records !== BATCH || read.bytes !== BATCH * bytes) {
          throw new Error(`read ${read.records} records of ${read.bytes} bytes`)
        }
      }
    },
    async finish() {
      await store?.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
