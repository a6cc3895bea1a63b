/**
 * What looking costs a pipeline at full speed: the meter's looks at the process, the doctor's, and somebody who asks for
 * status and diagnosis as often as the console does; all of them `TIMES` as often. It is one pipeline that runs without
 * end: nobody looks for a turn, then all of them look for a turn. Headgate has no option for either, so the bench holds
 * the meter and its timers. Of what is listened to all the time, collections, four times as much is heard. What the
 * accounting in the engine costs is the last row of `bench engine`.
 */
import type { Meter } from '../../src/runtime/meter.ts'
import type { Running } from '../../src/runtime/start.ts'
import { CONCURRENCY, settle } from '../engine/workload.ts'
import type { Contender } from '../harness.ts'
import { loadHeadgate, loadMeter } from '../headgate.ts'
import { naturals, workOff } from './sides.ts'
import { HeldTimers, TIMES } from './timers.ts'

export const LOOK_EVERY_MS = 500
const WARM = 500_000
const TURNS = { count: 120, seconds: 0.5 }

interface Watched {
  readonly running: Running
  /** So many times as often as they do from now on; 0: nobody looks. */
  look(times: number): Promise<void>
  /** Records that have completed. */
  done(): number
}

let shared: Promise<Watched> | undefined

export async function watchedSide(key: string): Promise<Contender | null> {
  if (key !== 'watched' && key !== 'unwatched') return null
  shared ??= endless()
  const { running, look, done } = await shared
  return {
    warm: WARM,
    turns: TURNS,
    prepare: () => look(key === 'watched' ? TIMES : 0),
    run: (n) => workOff(n, running, done),
    finish: async () => void (await running.stop()),
  }
}

async function endless(): Promise<Watched> {
  const { pipeline, memory } = await loadHeadgate()
  const { prototype } = await loadMeter()
  const { start } = prototype
  let held: Meter | undefined
  prototype.start = function () {
    held = this
    start.call(this)
  }
  const sink = memory.sink<number>({ keep: false })
  const running = (await pipeline('bench')
    .from(memory.source(naturals()))
    .call('settle', settle, { order: 'none', concurrency: CONCURRENCY })
    .to(sink)
    .start()) as Running
  running.pause()
  if (held === undefined) throw new Error('the pipeline has not started its meter: say in the bench what does now')
  const meter: Meter = held
  let timers = new HeldTimers()
  const look = async (times: number): Promise<void> => {
    timers.run(0)
    meter.stop()
    if (times === 0) return
    timers = new HeldTimers()
    await timers.hold(() => {
      meter.start()
      setInterval(() => running.look(), LOOK_EVERY_MS)
    })
    timers.run(times)
  }
  return { running, look, done: () => sink.count }
}
