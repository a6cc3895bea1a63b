/**
 * The child process of one measurement: loads one contender of one bench, warms it up, measures it once and sends
 * the figure to its parent. Given two contenders it lets them take turns. Started by `harness.ts` only; its arguments
 * are the bench and the contenders.
 */
import { type Bench, type ChildReply, type Contender, Missing, median } from './harness.ts'

const BENCHES: Readonly<Record<string, () => Promise<Bench>>> = {
  engine: async () => (await import('./engine.ts')).bench,
  log: async () => (await import('./log.ts')).bench,
  console: async () => (await import('./console.ts')).bench,
}

/** Whether every side works is all that is asked: nothing is warmed up, and little is measured. */
const SMOKE = process.env['HEADGATE_SMOKE'] === '1'

/** Alike for all sides. */
const WARM_UP_MS = SMOKE ? 0 : 4000

/** Of two contenders, each this often and for about this long. */
const TURNS = SMOKE ? 2 : 60
const TURN_SECONDS = 0.25

async function timed(contender: Contender, n: number): Promise<number> {
  await contender.prepare?.(n)
  const start = performance.now()
  await contender.run(n)
  return n / ((performance.now() - start) / 1000)
}

/** Each turn one after the other, the first one changing: what drifts hits both alike. */
async function measureInTurns(ours: Contender, theirs: Contender): Promise<ChildReply> {
  const pairs: [number, number][] = []
  const paces = new Map<Contender, number>()
  const warmUntilMs = performance.now() + 2 * WARM_UP_MS
  for (let turn = 0; pairs.length < TURNS; turn += 1) {
    for (const side of turn % 2 === 0 ? [ours, theirs] : [theirs, ours]) {
      const n = side.fixed ?? Math.max(side.warm, Math.ceil((paces.get(side) ?? 0) * TURN_SECONDS))
      paces.set(side, await timed(side, n))
    }
    if (performance.now() > warmUntilMs) pairs.push([paces.get(ours) as number, paces.get(theirs) as number])
  }
  return {
    kind: 'measured',
    value: median(pairs.map(([value]) => value)),
    notes: {},
    other: {
      value: median(pairs.map(([, value]) => value)),
      ratio: median(pairs.map(([value, other]) => value / other)),
    },
  }
}

async function measure(contender: Contender): Promise<ChildReply> {
  // No collection is forced between runs: it would find no object of the hot classes alive, throw their maps away and
  // with them all code compiled for them, which never happens to a process that streams without end.
  // A stream processor runs for weeks: what counts is its pace once everything is compiled. The last run of the
  // warm-up says how much fits into the time.
  const warmUntilMs = performance.now() + WARM_UP_MS
  let perSecond = await timed(contender, contender.warm)
  do perSecond = await timed(contender, contender.warm)
  while (performance.now() < warmUntilMs)
  const wanted = SMOKE ? 0 : Math.ceil(perSecond * (contender.seconds ?? 1))
  const n = contender.fixed ?? Math.max(contender.warm, Math.min(wanted, contender.most ?? 5_000_000))
  const value = await timed(contender, n)
  return { kind: 'measured', value, notes: (await contender.inspect?.()) ?? {} }
}

async function main(benchName: string, ...contenderNames: readonly string[]): Promise<ChildReply> {
  const contenders: Contender[] = []
  try {
    const load = BENCHES[benchName]
    if (!load) throw new Error(`no bench named '${benchName}'`)
    const bench = await load()
    for (const name of contenderNames) contenders.push(await bench.contender(name))
    const [ours, theirs] = contenders as [Contender, Contender?]
    return theirs === undefined ? await measure(ours) : await measureInTurns(ours, theirs)
  } catch (error) {
    if (error instanceof Missing) return { kind: 'missing', reason: error.message }
    return { kind: 'failed', reason: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  } finally {
    for (const contender of contenders) await contender.finish?.()
  }
}

const [, , benchName = '', ...contenderNames] = process.argv
const reply = await main(benchName, ...contenderNames)
process.send?.(reply, () => process.exit(0))
