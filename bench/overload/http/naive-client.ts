/**
 * The client of a retry storm: as many calls at once as a configuration file says, a time-out, and what failed is sent
 * again at once. It prints the same counts as Headgate's.
 */
import { endWithParent } from '../../../examples/payment-enrichment/flags.ts'
import { arrivals, begin, outcomeOf, settingFromArguments } from './client.ts'
import { type ClientCounts, watchLoop } from './counts.ts'
import { durationOf, NAIVE_CONCURRENCY } from './scenarios.ts'

endWithParent()
const setting = settingFromArguments()
const { url, scenario } = setting
const loopDelayP99Ms = watchLoop()
const attempts = await begin(setting)
let backlog = 0
let inFlight = 0
let written = 0

async function send(): Promise<void> {
  const response = await fetch(`${url}/call`, { signal: AbortSignal.timeout(scenario.timeoutMs as number) })
  if (!response.ok) throw Object.assign(new Error(), { code: 'HG_OVERLOADED', status: response.status })
  await response.arrayBuffer()
}

async function deliver(): Promise<void> {
  for (;;) {
    try {
      await attempts.count(send, outcomeOf)
      written += 1
      return
    } catch {
      // Again, at once.
    }
  }
}

function pump(): void {
  for (; backlog > 0 && inFlight < NAIVE_CONCURRENCY; backlog -= 1) {
    inFlight += 1
    void deliver().finally(() => {
      inFlight -= 1
      pump()
    })
  }
}

arrivals(setting, (count) => {
  backlog += count
  pump()
})
setTimeout(() => {
  const counts: ClientCounts = {
    phases: attempts.counts(),
    written,
    givenUp: 0,
    error: '',
    loopDelayP99Ms: loopDelayP99Ms(),
  }
  console.log(JSON.stringify(counts))
  process.exit(0)
}, durationOf(scenario))
