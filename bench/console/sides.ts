/**
 * One pipeline that runs without end, and a console beside it. A side says how many pages are open while it runs, and how
 * often the console looks; a run is over when so many records have completed. The pages live in a process of their own,
 * as browsers do.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Running } from '../../src/runtime/start.ts'
import type { Contender } from '../harness.ts'
import { loadConsole, loadHeadgate } from '../headgate.ts'
import { HeldTimers, TIMES } from './timers.ts'

const SLOTS = 64
const WARM = 200_000
/** Long enough for a look: twice a second one is sent to the pages. Many, since the pace of a machine changes as often. */
const TURNS = { count: 160, seconds: 0.5 }
/** `looks`: times as often as the console does; 0 is what a pipeline without one does. */
const SIDES: Readonly<Record<string, { readonly pages: number; readonly looks: number }>> = {
  'pages-10': { pages: 10, looks: 1 },
  'pages-0': { pages: 0, looks: 1 },
  'many-looks': { pages: 0, looks: TIMES },
  'no-looks': { pages: 0, looks: 0 },
}

interface Surroundings {
  readonly running: Running
  /** Records that have completed. */
  done(): number
  /** How many pages are open from now on, and how many times as often as it would the console looks. */
  show(pages: number, looks: number): Promise<void>
  end(): Promise<void>
}

let shared: Promise<Surroundings> | undefined

export async function consoleSide(key: string): Promise<Contender | null> {
  const side = SIDES[key]
  if (side === undefined) return null
  shared ??= surroundings()
  const { running, done, show, end } = await shared
  return {
    warm: WARM,
    turns: TURNS,
    prepare: () => show(side.pages, side.looks),
    run: (n) => workOff(n, running, done),
    finish: end,
  }
}

/** Lets a pipeline run until so many more records have completed. */
export async function workOff(n: number, running: Running, done: () => number): Promise<void> {
  const wanted = done() + n
  running.resume()
  while (done() < wanted) await sleep(2)
  running.pause()
}

async function surroundings(): Promise<Surroundings> {
  const { pipeline, memory } = await loadHeadgate()
  const { serveConsole } = await loadConsole()
  const sink = memory.sink<number>({ keep: false })
  const running = (await pipeline('bench')
    .from(memory.source(naturals()))
    .map((n) => n + 1)
    .call('call', async (n) => n, { concurrency: SLOTS })
    .to(sink)
    .start()) as Running
  running.pause()
  const timers = new HeldTimers()
  const served = await timers.hold(() => serveConsole(running, { port: 0, discoverable: false }))
  const { origin, token } = served
  let open = 0
  const pages = fork(fileURLToPath(new URL('./pages.ts', import.meta.url)), [], { execArgv: process.execArgv })
  return {
    running,
    done: () => sink.count,
    async show(count, looks) {
      timers.run(looks)
      if (count !== open) await tell(pages, { count, origin, token })
      open = count
    },
    async end() {
      timers.run(0)
      await served.close()
      if (pages.connected) pages.disconnect()
      await running.stop()
    },
  }
}

export function* naturals(): Generator<number> {
  for (let n = 0; ; n += 1) yield n
}

/** Resolves when the pages are as they were asked to be. */
async function tell(pages: ChildProcess, wanted: object): Promise<void> {
  const done = once(pages, 'message')
  pages.send(wanted)
  await done
}
