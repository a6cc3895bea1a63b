/**
 * The child process of one measurement: loads one contender of one bench, warms it up, measures it once and sends
 * the figure to its parent. Started by `harness.ts` only; its arguments are the bench and the contender.
 */
import { type Bench, type ChildReply, type Contender, Missing } from './harness.ts'

const BENCHES: Readonly<Record<string, () => Promise<Bench>>> = {
  engine: async () => (await import('./engine.ts')).bench,
  log: async () => (await import('./log.ts')).bench,
}

/** Alike for all sides. */
const WARM_UP_MS = 4000

async function measure(contender: Contender): Promise<ChildReply> {
  // No collection is forced between runs: it would find no object of the hot classes alive, throw their maps away and
  // with them all code compiled for them, which never happens to a process that streams without end.
  const timed = async (n: number): Promise<number> => {
    await contender.prepare?.(n)
    const start = performance.now()
    await contender.run(n)
    return n / ((performance.now() - start) / 1000)
  }

  // A stream processor runs for weeks: what counts is its pace once everything is compiled. The last run of the
  // warm-up says how much fits into the time.
  const warmUntilMs = performance.now() + WARM_UP_MS
  let perSecond = await timed(contender.warm)
  do perSecond = await timed(contender.warm)
  while (performance.now() < warmUntilMs)
  const wanted = Math.ceil(perSecond * (contender.seconds ?? 1))
  const n = contender.fixed ?? Math.max(contender.warm, Math.min(wanted, contender.most ?? 5_000_000))
  const value = await timed(n)
  return { kind: 'measured', value, notes: (await contender.inspect?.()) ?? {} }
}

async function main(benchName: string, contenderName: string): Promise<ChildReply> {
  let contender: Contender | undefined
  try {
    const load = BENCHES[benchName]
    if (!load) throw new Error(`no bench named '${benchName}'`)
    contender = await (await load()).contender(contenderName)
    return await measure(contender)
  } catch (error) {
    if (error instanceof Missing) return { kind: 'missing', reason: error.message }
    return { kind: 'failed', reason: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  } finally {
    await contender?.finish?.()
  }
}

const reply = await main(process.argv[2] ?? '', process.argv[3] ?? '')
process.send?.(reply, () => process.exit(0))
