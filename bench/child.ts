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

/** Of two contenders, each this often and for about this long, unless they say otherwise. */
const TURNS = { count: 60, seconds: 0.25 }
const SMOKE_TURNS = { count: 2, seconds: 0 }

interface Pace {
  readonly perSecond: number
  /** By the CPU time of all threads of this process: what others take of a shared machine does not count. */
  readonly perCpuSecond: number
}

async function paceOf(contender: Contender, n: number): Promise<Pace> {
  await contender.prepare?.(n)
  const start = performance.now()
  const cpuStart = process.cpuUsage()
  await contender.run(n)
  const perSecond = n / ((performance.now() - start) / 1000)
  const { user, system } = process.cpuUsage(cpuStart)
  return { perSecond, perCpuSecond: n / ((user + system) / 1e6) }
}

async function timed(contender: Contender, n: number): Promise<number> {
  return (await paceOf(contender, n)).perSecond
}

/**
 * Ours ÷ theirs over two pairs of turns that follow each other, A B B A: of the time that both turns of a side took. What
 * drifts, who comes first, and a turn that the machine held up count less than in the ratio of a single pair.
 */
function ratiosOf(pairs: readonly (readonly [Pace, Pace])[], of: keyof Pace): number[] {
  const ratios: number[] = []
  for (let at = 0; at + 1 < pairs.length; at += 2) {
    const [[own, other], [ownNext, otherNext]] = pairs.slice(at, at + 2) as [[Pace, Pace], [Pace, Pace]]
    ratios.push((1 / other[of] + 1 / otherNext[of]) / (1 / own[of] + 1 / ownNext[of]))
  }
  return ratios
}

/** Each turn one after the other, the first one changing: what drifts hits both alike. */
async function measureInTurns(ours: Contender, theirs: Contender): Promise<ChildReply> {
  const pairs: [Pace, Pace][] = []
  const paces = new Map<Contender, Pace>()
  const turns = SMOKE ? SMOKE_TURNS : (ours.turns ?? TURNS)
  const warmUntilMs = performance.now() + 2 * WARM_UP_MS
  for (let turn = 0; pairs.length < turns.count; turn += 1) {
    for (const side of turn % 2 === 0 ? [ours, theirs] : [theirs, ours]) {
      const n = side.fixed ?? Math.max(side.warm, Math.ceil((paces.get(side)?.perSecond ?? 0) * turns.seconds))
      paces.set(side, await paceOf(side, n))
    }
    if (performance.now() > warmUntilMs) pairs.push([paces.get(ours) as Pace, paces.get(theirs) as Pace])
  }
  const ratioBy = (of: keyof Pace): number => median(ratiosOf(pairs, of))
  return {
    kind: 'measured',
    value: median(pairs.map(([own]) => own.perSecond)),
    notes: { 'ratio by CPU time': ratioBy('perCpuSecond') },
    other: { value: median(pairs.map(([, other]) => other.perSecond)), ratio: ratioBy('perSecond') },
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
