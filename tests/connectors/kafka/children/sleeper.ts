/**
 * A source in a process of its own: `sleeper.ts OPTIONS`. It tells what it is told and what it pulls, and commits the
 * last record of its first pull whenever a line comes in. The test stops and continues it.
 */
import { source } from '../../../../src/connectors/kafka/index.ts'
import { say } from '../../log/children/say.ts'

const reader = source(JSON.parse(process.argv[2] as string))
const { signal } = new AbortController()
const silent = (): void => {}

await reader.open(
  {
    onAssigned: (assignments) => say({ assigned: assignments.map(({ partition }) => partition) }),
    onRevoked: async (revoked) => say({ revoked }),
    onLost: (lost) => say({ lost }),
    log: { debug: silent, info: silent, warn: silent, error: silent },
  },
  signal,
)

let first: { partition: string; epoch: number; nextOffset: number; doneAhead: null } | null = null
process.stdin.on('data', () => {
  if (first === null) return
  reader.commit([first]).then(
    () => say({ committed: first }),
    (error: { code?: string }) => say({ refused: error.code }),
  )
})

for (;;) {
  const pulled = await reader.pull({ credit: { records: 1, bytes: 1e6 }, paused: new Set(), waitMs: 50, signal })
  for (const { partition, epoch, records } of pulled.batches) {
    const nextOffset = (records.at(-1)?.offset ?? 0) + 1
    first ??= { partition, epoch, nextOffset, doneAhead: null }
    say({ pulled: partition })
  }
  await new Promise((resolve) => setTimeout(resolve, 50))
}
