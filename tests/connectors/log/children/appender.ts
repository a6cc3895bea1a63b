/** Appends to topic `t` until it is killed, or `count` times: four appends in flight, each told once acknowledged. */
import { openLog } from '../../../../src/connectors/log/index.ts'
import { say } from './say.ts'

const [directory, name, count, bytes] = process.argv.slice(2) as [string, string, string, string]
const log = await openLog(directory)
say({ ready: process.pid })
const padding = 'x'.repeat(Number(bytes))
let next = 0

async function run(): Promise<void> {
  while (next < Number(count)) {
    const number = next++
    const entries = [0, 1, 2].map((part) => ({ key: `${number % 7}`, value: { name, number, part, padding } }))
    const appended = await log.append('t', entries)
    say({ acked: number, partition: appended[0]?.partition, offset: appended[0]?.firstOffset })
  }
}

await Promise.all([run(), run(), run(), run()])
await log.close()
say({ done: next })
