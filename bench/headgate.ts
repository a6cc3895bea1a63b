/**
 * Headgate as the benchmarks use it: the built package, loaded the way a user gets it and not through the bench's
 * own TypeScript loader, which would measure the loader's output instead of ours.
 */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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

/** What the accounting does in each loop and for each attempt: slot states, reasons and latencies. */
const ACCOUNTING = {
  'engine/slot-clock.js': ['advance', 'run', 'ranOfAwait'],
  'engine/stage-meter.js': ['account', 'free', 'ended', 'took', 'ran'],
} as const

export interface Switched {
  readonly headgate: Headgate
  /** Whether its engine accounts from now on; it does at first. */
  account(on: boolean): void
}

/**
 * A Headgate whose accounting has a switch, in front of the methods in the text of a copy. Headgate has no option for it,
 * since nobody should want to run blind; only the bench asks what it costs. Both sides run this one engine, which is
 * compiled once: two copies of the same code in one process differ by as much as what is measured, and each process in
 * another direction.
 */
export async function loadSwitched(): Promise<Switched> {
  // Within the project, where the packages that it imports are found.
  const folder = mkdtempSync(fileURLToPath(new URL('.copy-', import.meta.url)))
  try {
    cpSync(fileURLToPath(DIST), folder, { recursive: true })
    const dist = pathToFileURL(`${folder}/`)
    for (const [path, methods] of Object.entries(ACCOUNTING)) putSwitches(new URL(path, dist), methods)
    const headgate = await loadHeadgate(dist)
    const switches = await Promise.all(Object.keys(ACCOUNTING).map((path) => load(path, dist)))
    return {
      headgate,
      account(on) {
        for (const module of switches) (module as { accounting: { on: boolean } }).accounting.on = on
      },
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function putSwitches(file: URL, methods: readonly string[]): void {
  let text = readFileSync(file, 'utf8')
  for (const name of methods) {
    const head = new RegExp(`^ +${name}\\(.*\\) {$`, 'm')
    if (!head.test(text)) throw new Error(`no method '${name}' in ${file.pathname}: say in the bench what accounts now`)
    text = text.replace(head, '$&\nif (!accounting.on) return 0;')
  }
  writeFileSync(file, `export const accounting = { on: true };\n${text}`)
}
