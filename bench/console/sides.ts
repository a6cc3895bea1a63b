/**
 * One pipeline that runs without end, and a console beside it. A side says how many pages are open while it runs, or that there is no
 * console; a run is over when so many records have completed. The pages live in a process of their own, as browsers do.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Running } from '../../src/runtime/start.ts'
import type { Contender } from '../harness.ts'
import { loadConsole, loadHeadgate } from '../headgate.ts'

const SLOTS = 64
const WARM = 200_000
/** Long enough for a look: twice a second one is sent to the pages. Many, since the pace of a machine changes as often. */
const TURNS = { count: 160, seconds: 0.5 }
const PAGES: Readonly<Record<string, number | null>> = { 'pages-10': 10, 'pages-0': 0, 'no-console': null }

interface Surroundings {
  readonly running: Running
  /** Records that have completed. */
  done(): number
  /** Null: no console either. */
  setPages(count: number | null): Promise<void>
  end(): Promise<void>
}

let shared: Promise<Surroundings> | undefined

export async function consoleSide(key: string): Promise<Contender | null> {
  const pages = PAGES[key]
  if (pages === undefined) return null
  shared ??= surroundings()
  const { running, done, setPages, end } = await shared
  return {
    warm: WARM,
    turns: TURNS,
    prepare: () => setPages(pages),
    async run(n) {
      const wanted = done() + n
      running.resume()
      while (done() < wanted) await sleep(2)
      running.pause()
    },
    finish: end,
  }
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
  let served: Awaited<ReturnType<typeof serveConsole>> | undefined
  let open = 0
  const pages = fork(fileURLToPath(new URL('./pages.ts', import.meta.url)), [], { execArgv: process.execArgv })
  return {
    running,
    done: () => sink.count,
    async setPages(count) {
      if (count === null) {
        await served?.close()
        served = undefined
        open = 0
        return
      }
      served ??= await serveConsole(running, { port: 0, discoverable: false })
      if (count !== open) await tell(pages, { count, origin: served.origin, token: served.token })
      open = count
    },
    async end() {
      await served?.close()
      served = undefined
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
