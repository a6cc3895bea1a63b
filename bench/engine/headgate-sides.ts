/**
 * Headgate's sides of the engine bench, through the public API of the built package: a whole pipeline with its gate,
 * ledger, meters and commits, from a memory source to a memory sink that only counts.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Contender } from '../harness.ts'
import { loadHeadgate } from '../headgate.ts'
import { add, CONCURRENCY, counting, double, keptOf, notThird, numbers, settle } from './workload.ts'

type Headgate = Awaited<ReturnType<typeof loadHeadgate>>

const all = (n: number): number => n
const KEYED = 2_000_000
const STUCK_AHEAD = 100_000

/** Adds up to `keys` different keys; made before the run, as a broker would deliver them. */
function keyed(keys: number): (value: number) => string {
  const names = Array.from({ length: keys }, (_, index) => `key-${index}`)
  return (value) => names[value % keys] as string
}

function syncSide({ pipeline, memory }: Headgate): Contender {
  return counting({ warm: 300_000 }, keptOf, async (values) => {
    const sink = memory.sink<number>({ keep: false })
    await pipeline('bench').from(memory.source(values)).map(add).filter(notThird).map(double).to(sink).run()
    return sink.count
  })
}

function callSide({ pipeline, memory }: Headgate, order: 'none' | 'key', keys: number, fixed?: number): Contender {
  const key = keys > 0 ? keyed(keys) : undefined
  const limits = { warm: 100_000, most: 2_000_000, ...(fixed === undefined ? {} : { fixed }) }
  return counting(limits, all, async (values) => {
    const sink = memory.sink<number>({ keep: false })
    const source = memory.source(values, key ? { key } : {})
    await pipeline('bench').from(source).call('settle', settle, { order, concurrency: CONCURRENCY }).to(sink).run()
    return sink.count
  })
}

/**
 * A million records in flight at once, blocked behind a call that does not end, with as many keys as asked for: the
 * heap they take is what a key costs, once the same records with few keys are subtracted.
 */
async function heapInFlight({ pipeline, memory }: Headgate, keys: number): Promise<number> {
  const records = 1_000_000
  let release = (): void => {}
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  const source = memory.source(numbers(records), { key: keyed(keys) })
  const running = await pipeline('bench', { admission: { records, bytes: 2 ** 32 } })
    .from(source)
    .call('block', (value: number) => gate.then(() => value), {
      order: 'key',
      concurrency: CONCURRENCY,
      queueRecords: records,
      timeoutMs: 600_000,
    })
    .to(memory.sink<number>({ keep: false }))
    .start()
  for (let waited = 0; running.status().records.inFlight < records && waited < 20_000; waited += 50) await delay(50)
  globalThis.gc?.()
  const bytes = process.memoryUsage().heapUsed
  const inFlight = running.status().records.inFlight
  release()
  await running.done
  return inFlight === records ? bytes : Number.NaN
}

function keysSide(headgate: Headgate, keys: number): Contender {
  const side = callSide(headgate, 'key', keys, KEYED)
  if (keys < 1_000_000) return side
  return {
    ...side,
    async run(n) {
      await side.run(n)
    },
    async finish() {
      await side.finish?.()
    },
  }
}

/** One record of its own key does not settle until everything else is done. */
function stuckSide({ pipeline, memory }: Headgate, stuck: boolean): Contender {
  return counting({ warm: STUCK_AHEAD, fixed: STUCK_AHEAD }, all, async (values) => {
    const sink = memory.sink<number>({ keep: false })
    let done = 0
    let release = (): void => {}
    const rest = new Promise<void>((resolve) => {
      release = resolve
    })
    const handler = async (value: number): Promise<number> => {
      if (stuck && value === 0) await rest
      else if ((done += 1) === values.length - 1) release()
      return value
    }
    await pipeline('bench', { admission: { uncommittedRecords: STUCK_AHEAD * 2 } })
      .from(memory.source(values))
      .call('settle', handler, { order: 'none', concurrency: CONCURRENCY })
      .to(sink)
      .run()
    return sink.count
  })
}

/**
 * The one place that knows how accounting is switched off: the engine's own option, which no public API offers, since
 * nobody should run blind. Returns null while the engine has no such option.
 */
function accountingSide(_headgate: Headgate, _on: boolean): Contender | null {
  return null
}

export async function headgateSide(key: string): Promise<Contender | null> {
  const headgate = await loadHeadgate()
  const sides: Readonly<Record<string, () => Contender | null>> = {
    sync: () => syncSide(headgate),
    'call-none': () => callSide(headgate, 'none', 0),
    'call-key-10k': () => callSide(headgate, 'key', 10_000),
    'keys-1m': () => keysSide(headgate, 1_000_000),
    'keys-10k': () => keysSide(headgate, 10_000),
    'one-stuck': () => stuckSide(headgate, true),
    'none-stuck': () => stuckSide(headgate, false),
    'accounting-on': () => accountingSide(headgate, true),
    'accounting-off': () => accountingSide(headgate, false),
  }
  return sides[key]?.() ?? null
}
