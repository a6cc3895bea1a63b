/**
 * Measures one consumer against a fresh fraud API and a fresh log: a minute under the full load, and a shorter run in
 * whose middle it is killed with SIGKILL and started again. `compare.ts` calls it for each consumer in turn.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ConsumerLine } from './consumer-line.ts'
import type { FraudStats } from './fraud-tally.ts'
import { account } from './lost.ts'
import { type Child, type FraudApi, startFraudApi, startGenerator, startScript } from './processes.ts'

export interface Contestant {
  readonly name: string
  readonly script: string
  /** The group whose committed positions say how far it came. */
  readonly group: string
}

export interface Measured {
  readonly completionsPerMinute: number
  readonly sharePercent: number
  readonly attemptsPerCompletion: number
  readonly refused429: number
  readonly refused503: number
  readonly timeouts: number
  readonly gaveUp: number
  readonly rssPeakMiB: number
  readonly latencyP99Ms: number
  readonly orderViolations: number
}

export interface Killed {
  readonly lost: number
  /** Committed and not enriched because all attempts had failed; not counted as lost. */
  readonly gaveUp: number
  readonly scoredTwice: number
}

interface Setting {
  readonly api: FraudApi
  readonly generator: Child
  readonly logDirectory: string
  readonly errorsTo: string
  readonly start: (contestant: Contestant) => Child
}

export async function fraudStats(api: FraudApi): Promise<FraudStats> {
  const response = await fetch(`${api.url}/stats`)
  return (await response.json()) as FraudStats
}

/** A fresh API, a fresh log and a generator around `body`; all are gone when it returns. */
async function within<T>(seed: number, generatorArgs: string[], body: (setting: Setting) => Promise<T>): Promise<T> {
  const workspace = mkdtempSync(join(tmpdir(), 'headgate-compare-'))
  const logDirectory = join(workspace, 'log')
  const errorsTo = join(workspace, 'errors.log')
  const children: Child[] = []
  try {
    const api = await startFraudApi({ args: ['--seed', String(seed)], errorsTo })
    children.push(api.child)
    const env = { HEADGATE_FRAUD_URL: api.url, HEADGATE_LOG: logDirectory }
    const generator = await startGenerator({
      args: ['--path', logDirectory, '--seed', String(seed), ...generatorArgs],
      errorsTo,
    })
    children.push(generator)
    const start = ({ script }: Contestant): Child => {
      const child = startScript(script, { env, errorsTo })
      children.push(child)
      return child
    }
    return await body({ api, generator, logDirectory, errorsTo, start })
  } catch (error) {
    process.stderr.write(tail(errorsTo))
    throw error
  } finally {
    for (const child of children) child.signal('SIGKILL')
    await Promise.all(children.map((child) => child.ended))
    rmSync(workspace, { recursive: true, force: true })
  }
}

function tail(file: string): string {
  return readFileSync(file, 'utf8').split('\n').slice(-20).join('\n')
}

export type Progress = (text: string) => void

/** The measured time begins with the first call that reaches the API, so that starting up costs nobody anything. */
export async function measure(contestant: Contestant, seed: number, ms: number, say: Progress): Promise<Measured> {
  return within(seed, [], async ({ api, start }) => {
    const consumer = start(contestant)
    let stats = await fraudStats(api)
    let saidAtMs = 0
    while (elapsed(stats) < ms) {
      await sleep(Math.min(250, Math.max(1, ms - elapsed(stats))))
      if (!consumer.running) throw new Error(`${contestant.name} ended in the middle of its measured time`)
      stats = await fraudStats(api)
      if (elapsed(stats) - saidAtMs < 10_000) continue
      saidAtMs = elapsed(stats)
      say(`${Math.round(saidAtMs / 1000)} s: ${stats.unique} scored, ${stats.attempts} attempts`)
    }
    const own = consumer.lastLine as ConsumerLine
    const completionsPerMinute = (stats.unique * 60_000) / elapsed(stats)
    return {
      completionsPerMinute,
      sharePercent: (100 * completionsPerMinute) / stats.capacityPerMinute,
      attemptsPerCompletion: stats.attempts / Math.max(1, stats.unique),
      refused429: stats.quota429,
      refused503: stats.overload503,
      timeouts: own.timeouts,
      gaveUp: own.gaveUp,
      rssPeakMiB: own.rssPeakMiB,
      latencyP99Ms: own.latencyP99Ms,
      orderViolations: stats.orderViolations,
    }
  })
}

const elapsed = (stats: FraudStats): number => stats.nowMs - (stats.firstAttemptAtMs ?? stats.nowMs)

/** Half the time, `kill -9`, the other half, then an orderly stop; then every payment is accounted for. */
export async function killInTheMiddle(
  contestant: Contestant,
  seed: number,
  ms: number,
  say: Progress,
): Promise<Killed> {
  return within(seed, ['--for', `${ms}ms`], async ({ api, generator, start, logDirectory, errorsTo }) => {
    const first = start(contestant)
    await first.ready()
    await sleep(ms / 2)
    first.signal('SIGKILL')
    await first.ended
    say('killed in the middle (SIGKILL) and started again')
    const second = start(contestant)
    await second.ready()
    await Promise.all([generator.ended, sleep(ms / 2)])
    say('stopping')
    await second.stop(90_000)
    const { duplicates } = await fraudStats(api)
    const { lost } = await account(logDirectory, contestant.group)
    const gaveUp = new Set([...readFileSync(errorsTo, 'utf8').matchAll(/gave up on payment (\S+):/g)].map((m) => m[1]))
    const byTheKill = lost.filter((paymentId) => !gaveUp.has(paymentId))
    return { lost: byTheKill.length, gaveUp: lost.length - byTheKill.length, scoredTwice: duplicates }
  })
}
