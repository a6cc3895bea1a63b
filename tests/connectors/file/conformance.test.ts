import { appendFile, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  registerConformance,
  type SinkHarness,
  type SinkWorld,
  type SourceHarness,
  sinkConformance,
  sourceConformance,
} from 'headgate/conformance'
import { file } from 'headgate/file'
import { describe, test } from 'vitest'
import { makeDirectory } from './world.ts'

const lines: SourceHarness = {
  capabilities: file.source({ path: 'input' }).capabilities,
  maxPartitions: 1,
  sessionMs: null,
  async create() {
    const directory = await makeDirectory()
    const path = join(directory, 'input')
    return {
      partitions: [path],
      source: () => file.source({ path }),
      append: (_partition, count, bytes = 10) => appendFile(path, `${'x'.repeat(bytes)}\n`.repeat(count)),
      destroy: () => rm(directory, { recursive: true }),
    }
  },
}

interface Lines extends SinkWorld {
  refused: readonly number[]
}

const output: SinkHarness<Lines> = {
  capabilities: file.sink({ path: 'output' }).capabilities,
  async create() {
    const directory = await makeDirectory()
    const path = join(directory, 'output')
    const world: Lines = {
      refused: [],
      sink: () => file.sink({ path }),
      // JSON has no form for a bigint.
      value: (index) => (world.refused.includes(index) ? BigInt(index) : { index }),
      async stored() {
        const written = await readFile(path, 'utf8')
        return written
          .split('\n')
          .filter(Boolean)
          .map((line) => (JSON.parse(line) as { index: number }).index)
      },
      destroy: () => rm(directory, { recursive: true }),
    }
    return world
  },
  async refuse(world, indexes) {
    world.refused = indexes
  },
}

describe('a source over the lines of a file', () => {
  registerConformance({ test }, sourceConformance(lines))
})

describe('a sink into a file', () => {
  registerConformance({ test }, sinkConformance(output))
})
