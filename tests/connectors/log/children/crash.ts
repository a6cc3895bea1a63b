/**
 * Does a bit of everything that writes, and kills itself at the given boundary of the write path. `children/crash.ts
 * DIRECTORY POINT`; without reaching that point it ends and says so.
 */
import { openLog } from '../../../../src/connectors/log/index.ts'
import { commitAs } from './commit-as.ts'
import { say } from './say.ts'

const [directory, point] = process.argv.slice(2) as [string, string]
let passed = 0

const log = await openLog(directory, {
  onWritePoint(name) {
    passed += 1
    if (passed !== Number(point)) return
    say({ killedAt: name })
    process.kill(process.pid, 'SIGKILL')
  },
})

const entries = (name: string, count: number): object[] =>
  Array.from({ length: count }, (_, part) => ({ value: `${name}.${part}`, partition: part % 2 }))

async function acked(name: string, work: Promise<unknown>): Promise<void> {
  await work
  say({ acked: name })
}

await acked('topic', log.createTopic('t', { partitions: 2 }))
await acked('a', log.append('t', entries('a', 4) as never))
await Promise.all([
  acked('b', log.append('t', entries('b', 2) as never)),
  acked('c', log.append('t', entries('c', 1_200) as never)),
])
await commitAs(log, 'g', [3, 2], acked)
await acked('trim', log.trim('t', { beforeOffset: 2 }))
await acked('d', log.append('t', entries('d', 2) as never))
await acked('seek', log.seek('g', 't', 4))
say({ passed })
process.exit(0)
