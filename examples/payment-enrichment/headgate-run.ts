/**
 * Runs the example's pipeline inside a program of one's own, and prints a `ConsumerLine` each second. The comparison
 * starts it beside the naive consumer. SIGTERM drains: what is in flight is finished and committed.
 */
import { type ConsumerLine, rssPeakMiB } from './consumer-line.ts'
import { endWithParent } from './flags.ts'
import pipeline from './pipeline.ts'

const running = await pipeline.start()

function line(): ConsumerLine {
  const { records, stages } = running.status()
  const fraud = stages.find((stage) => stage.name === 'fraud')
  return {
    timeouts: fraud?.timeouts ?? 0,
    gaveUp: records.deadLettered,
    pending: records.inFlight,
    latencyP99Ms: fraud?.latencyMs.p99 ?? 0,
    rssPeakMiB: rssPeakMiB(),
  }
}

setInterval(() => console.log(JSON.stringify(line())), 1_000)

async function drain(): Promise<void> {
  await running.drain()
  console.log(JSON.stringify(line()))
  process.exit(0)
}

process.once('SIGTERM', () => void drain())
endWithParent()
