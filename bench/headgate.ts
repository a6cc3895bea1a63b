/**
 * Headgate as the benchmarks use it: the built package, loaded the way a user gets it and not through the bench's
 * own TypeScript loader, which would measure the loader's output instead of ours.
 */
import { existsSync } from 'node:fs'
import { Missing } from './harness.ts'

async function load(path: string): Promise<unknown> {
  const url = new URL(`../dist/${path}`, import.meta.url)
  if (!existsSync(url)) throw new Missing(`dist/${path} is not built; run npm run build`)
  return import(url.href)
}

export async function loadHeadgate(): Promise<typeof import('headgate') & typeof import('headgate/memory')> {
  const [main, connector] = await Promise.all([load('index.js'), load('connectors/memory/index.js')])
  return { ...(main as typeof import('headgate')), ...(connector as typeof import('headgate/memory')) }
}

export async function loadLog(): Promise<typeof import('headgate/log')> {
  return (await load('connectors/log/index.js')) as typeof import('headgate/log')
}

/**
 * Takes the accounting out of the engine of this process: slot states and latencies. Headgate has no option for it,
 * since nobody should want to run blind; only the bench asks what it costs.
 */
export async function withoutAccounting(): Promise<void> {
  const { SlotClock } = (await load('engine/slot-clock.js')) as typeof import('../src/engine/slot-clock.ts')
  const { StageMeter } = (await load('engine/stage-meter.js')) as typeof import('../src/engine/stage-meter.ts')
  const nothing = (): void => {}
  Object.assign(SlotClock.prototype, { advance: nothing, run: nothing, charge: nothing })
  Object.assign(StageMeter.prototype, { account: nothing, ended: nothing, ran: nothing })
}
