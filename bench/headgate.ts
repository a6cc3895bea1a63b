/**
 * Headgate as the benchmarks use it: the built package, loaded the way a user gets it and not through the bench's
 * own TypeScript loader, which would measure the loader's output instead of ours.
 */
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Missing } from './harness.ts'

export type Headgate = typeof import('headgate') & typeof import('headgate/memory')

const DIST = new URL('../dist/', import.meta.url)

async function load(path: string, dist = DIST): Promise<unknown> {
  const url = new URL(path, dist)
  if (!existsSync(url)) throw new Missing(`dist/${path} is not built; run npm run build`)
  return import(url.href)
}

export async function loadHeadgate(dist = DIST): Promise<Headgate> {
  const [main, connector] = await Promise.all([load('index.js', dist), load('connectors/memory/index.js', dist)])
  return { ...(main as typeof import('headgate')), ...(connector as typeof import('headgate/memory')) }
}

export async function loadMeter(): Promise<typeof import('../src/runtime/meter.ts').Meter> {
  return ((await load('runtime/meter.js')) as typeof import('../src/runtime/meter.ts')).Meter
}

export async function loadConsole(): Promise<typeof import('headgate/console')> {
  return (await load('console/index.js')) as typeof import('headgate/console')
}

export async function loadLog(): Promise<typeof import('headgate/log')> {
  return (await load('connectors/log/index.js')) as typeof import('headgate/log')
}

/**
 * A second Headgate in this process, with modules of its own, and the accounting taken out of its engine: slot states
 * and latencies. Headgate has no option for it, since nobody should want to run blind; only the bench asks what it costs.
 */
export async function loadWithoutAccounting(): Promise<Headgate> {
  // Within the project, where the packages that it imports are found.
  const folder = mkdtempSync(fileURLToPath(new URL('.copy-', import.meta.url)))
  try {
    cpSync(fileURLToPath(DIST), folder, { recursive: true })
    const dist = pathToFileURL(`${folder}/`)
    const headgate = await loadHeadgate(dist)
    const { SlotClock } = (await load('engine/slot-clock.js', dist)) as typeof import('../src/engine/slot-clock.ts')
    const { StageMeter } = (await load('engine/stage-meter.js', dist)) as typeof import('../src/engine/stage-meter.ts')
    const nothing = (): void => {}
    Object.assign(SlotClock.prototype, { advance: nothing, run: nothing, ranOfAwait: nothing })
    Object.assign(StageMeter.prototype, { account: nothing, ended: nothing, took: nothing, ran: nothing })
    return headgate
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
