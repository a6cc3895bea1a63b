/**
 * Headgate's whole runtime as the client of the server: an endless memory source, or a topic that records arrive in; a
 * call with nothing set but the scenario's time-out, so that its concurrency is what `adaptive()` finds; a memory sink.
 * Runs for as long as the scenario lasts and prints its counts.
 */
import { endWithParent } from '../../../examples/payment-enrichment/flags.ts'
import { loadHeadgate } from '../../headgate.ts'
import { arrivals, begin, outcomeOf, settingFromArguments } from './client.ts'
import { type ClientCounts, watchLoop } from './counts.ts'
import { durationOf } from './scenarios.ts'

/** The last phase is over on the server too when the calls in flight are aborted. */
const END_MARGIN_MS = 50

endWithParent()
const setting = settingFromArguments()
const { url, scenario } = setting
const { adaptive, expectOk, memory, pipeline, skip } = await loadHeadgate()

function* endless(): Generator<number> {
  for (let number = 0; ; number += 1) yield number
}

const topic = memory.topic<number>('records')
const source = scenario.source === undefined ? memory.source(endless()) : topic.source({ group: 'http' })
const sink = memory.sink<number>({ keep: false })
const loopDelayP99Ms = watchLoop()
const attempts = await begin(setting)

const running = await pipeline('http')
  .from(source)
  .call(
    'api',
    (record: number, { signal }) =>
      attempts.count(async () => {
        const response = expectOk(await fetch(`${url}/call`, { signal }))
        await response.arrayBuffer()
        return record
      }, outcomeOf),
    {
      concurrency: adaptive(),
      ...(scenario.timeoutMs === undefined ? {} : { timeoutMs: scenario.timeoutMs }),
      onFailure: skip(),
    },
  )
  .to(sink)
  .start()
const stopArrivals =
  scenario.source === undefined
    ? () => {}
    : arrivals(setting, (count) => topic.append(Array.from({ length: count }, () => ({ key: null, value: 0 }))))

const end = setTimeout(() => void running.stop(), durationOf(scenario) + END_MARGIN_MS)
const { error, records } = await running.done
clearTimeout(end)
stopArrivals()
const counts: ClientCounts = {
  phases: attempts.counts(),
  written: sink.count,
  givenUp: records.skipped,
  error: error?.message ?? '',
  loopDelayP99Ms: loopDelayP99Ms(),
}
console.log(JSON.stringify(counts))
process.exit(0)
