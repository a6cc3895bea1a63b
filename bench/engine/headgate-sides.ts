/**
 * Headgate's sides of the engine bench, through the public API of the built package: a whole pipeline with its gate,
 * ledger, meters and commits, from a memory source to a memory sink that only counts.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Running } from '../../src/runtime/start.ts'
import type { Contender } from '../harness.ts'
import { type Headgate, loadHeadgate, loadSwitched, type Switched } from '../headgate.ts'
import { add, all, CONCURRENCY, counting, double, keptOf, notThird, numbers, settle } from './workload.ts'

const KEYED = 2_000_000
const STUCK_AHEAD = 100_000

/** The key of a value out of `keys` names, made before the run, as a broker would deliver them. */
function keyed(keys: number, names = keyNames(keys)): (value: number) => string {
  return (value) => names[value % keys] as string
}

function keyNames(keys: number): string[] {
  return Array.from({ length: keys }, (_, index) => `key-${index}`)
}

function syncSide({ pipeline, memory }: Headgate): Contender {
  return counting({ warm: 3_000_000 }, keptOf, async (values) => {
    const sink = memory.sink<number>({ keep: false })
    await pipeline('bench').from(memory.source(values)).map(add).filter(notThird).map(double).to(sink).run()
    return sink.count
  })
}

function callSide({ pipeline, memory }: Headgate, order: 'none' | 'key', keys: number, fixed?: number): Contender {
  const key = keys > 0 ? keyed(keys) : undefined
  const limits = { warm: 1_000_000, most: 2_000_000, ...(fixed === undefined ? {} : { fixed }) }
  return counting(limits, all, async (values) => {
    const sink = memory.sink<number>({ keep: false })
    const source = memory.source(values, key ? { key } : {})
    await pipeline('bench').from(source).call('settle', settle, { order, concurrency: CONCURRENCY }).to(sink).run()
    return sink.count
  })
}

const MILLION = 1_000_000
/** Records that complete before the rest is blocked: the gate opens with the completion rate. */
const PASSED = 300_000

function keysSide(headgate: Headgate, keys: number): Contender {
  const side = callSide(headgate, 'key', keys, KEYED)
  if (keys < MILLION) return side
  return {
    ...side,
    async inspect() {
      const values = numbers(PASSED + MILLION)
      const names = keyNames(MILLION)
      const without = await heapInFlight(headgate, values, 'none', names)
      const many = await heapInFlight(headgate, values, 'key', names)
      return { 'bytes a key': Math.round((many - without) / MILLION) }
    },
  }
}

/**
 * The heap while a million values with as many keys are in flight at once, waiting behind calls that do not end. In order
 * of their keys and without order the records are the same: the difference is what it costs to keep the keys apart.
 */
async function heapInFlight(
  { pipeline, memory }: Headgate,
  values: readonly number[],
  order: 'none' | 'key',
  names: string[],
): Promise<number> {
  const records = MILLION
  // The last few wait for a whole chunk of credit.
  const enough = records * 0.99
  let release = (): void => {}
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  const running = await pipeline('bench', { admission: { records, bytes: 2 ** 32, residenceMs: 2 ** 31 - 1 } })
    .from(memory.source(values, { key: keyed(names.length, names) }))
    .call('block', async (value: number) => (value < PASSED ? value : gate.then(() => value)), {
      order,
      concurrency: CONCURRENCY,
      queueRecords: records,
      timeoutMs: 600_000,
    })
    .to(memory.sink<number>({ keep: false }))
    .start()
  for (let waited = 0; running.status().records.inFlight < enough && waited < 20_000; waited += 50) await delay(50)
  globalThis.gc?.()
  const bytes = process.memoryUsage().heapUsed
  const { inFlight } = running.status().records
  release()
  await running.done
  if (inFlight < enough) throw new Error(`only ${inFlight} of ${records} records came in flight`)
  return bytes
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

const STATUS_EVERY_MS = 250

/** Calls with slot states, latencies and a reader of the status as a dashboard is one, or with none of these. */
function accountingSide(accounts: boolean): Contender {
  return counting({ warm: 500_000, fixed: 500_000 }, all, async (values) => {
    switched ??= loadSwitched()
    const { headgate, account } = await switched
    account(accounts)
    return callsLookedAt(headgate, values, accounts ? (running) => running.status() : null, STATUS_EVERY_MS)
  })
}

/** Of both sides, which take turns. */
let switched: Promise<Switched> | undefined

/** Unordered calls while somebody looks every so often; `look` null: nobody does. How many came out. */
export async function callsLookedAt(
  { pipeline, memory }: Headgate,
  values: readonly number[],
  look: ((running: Running) => unknown) | null,
  everyMs: number,
): Promise<number> {
  const sink = memory.sink<number>({ keep: false })
  const running = await pipeline('bench')
    .from(memory.source(values))
    .call('settle', settle, { order: 'none', concurrency: CONCURRENCY })
    .to(sink)
    .start()
  const timer = look === null ? undefined : setInterval(look, everyMs, running)
  await running.done
  clearInterval(timer)
  return sink.count
}

export async function headgateSide(key: string): Promise<Contender | null> {
  const headgate = await loadHeadgate()
  const sides: Readonly<Record<string, () => Contender>> = {
    sync: () => syncSide(headgate),
    'call-none': () => callSide(headgate, 'none', 0),
    'call-key-10k': () => callSide(headgate, 'key', 10_000),
    'keys-1m': () => keysSide(headgate, 1_000_000),
    'keys-10k': () => keysSide(headgate, 10_000),
    'one-stuck': () => stuckSide(headgate, true),
    'none-stuck': () => stuckSide(headgate, false),
    'accounting-on': () => accountingSide(true),
    'accounting-off': () => accountingSide(false),
  }
  return sides[key]?.() ?? null
}
