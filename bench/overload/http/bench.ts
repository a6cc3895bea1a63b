/**
 * `npm run bench -- overload --http`: the main scenarios on real servers beside the model, and the retry storm. Takes
 * real time, so its figures depend on what else the machine does; the load and the delays of the event loops are
 * printed with them.
 */
import { availableParallelism, loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Scenario } from '../../../src/sim/scenario.ts'
import { type Algorithm, HEADGATE, loadAlgorithms } from '../algorithms/registry.ts'
import { forgetRuns } from '../oracle.ts'
import { gatesOf } from '../seeds.ts'
import type { OverloadRow } from '../verdict.ts'
import { type Figures, figuresOfHttp, figuresOfModel, rowsOf } from './compare.ts'
import { type HttpRun, runOverHttp } from './run.ts'
import { HTTP_TRIALS, type HttpTrial, STORM, shortened, smokeTrials } from './scenarios.ts'
import { type StormRuns, stormInModel, stormOf, stormRows } from './storm.ts'
import { comparisonText, stormText } from './table.ts'

export interface HttpOptions {
  /** Only scenarios whose name contains this. */
  readonly scenario: string
  readonly seed: number | null
  /** Short phases, few scenarios. */
  readonly smoke: boolean
  /** No tables. */
  readonly json: boolean
}

/** Runs of the model, which cost next to nothing. */
const MODEL_SEEDS = 9
/** After an outage each run over HTTP is compared with those of these that are like it. */
const MODEL_SEEDS_OF_OUTAGES = 99
/**
 * Of several runs of one scenario, each begins so long after the one before that hardly two are busy at once: one
 * starts while another is down, and the other comes back when the one is down. Busy runs that share two cores would
 * show each other's load as latency.
 */
const STAGGER_MS = 19_000

export async function overloadHttp({ scenario, seed, smoke, json }: HttpOptions): Promise<OverloadRow[]> {
  const headgate = (await loadAlgorithms()).algorithms.find(({ name }) => name === HEADGATE)
  if (headgate === undefined) throw new Error('src/control/controller.ts is not in this tree')
  const first = seed ?? 1
  const trials = (smoke ? smokeTrials() : HTTP_TRIALS).filter((trial) => trial.scenario.name.includes(scenario))
  const storm = STORM.name.includes(scenario) ? (smoke ? shortened(STORM) : STORM) : null
  if (trials.length === 0 && storm === null) throw new Error(`no scenario's name contains '${scenario}'`)

  const loads = [load()]
  const compared = await compareAll(trials, headgate, first)
  const stormRuns = storm === null ? null : await runStorm(storm, headgate, first)
  const stormy = storm === null || stormRuns === null ? [] : stormRows(storm.name, stormRuns)
  loads.push(load())
  if (!json) {
    const machine = `${availableParallelism()} cores, load before and after ${loads.join(' and ')}`
    console.log(`\nmodel and real servers over loopback HTTP, medians; ${machine}`)
    if (compared.length > 0) console.log(comparisonText(compared))
    if (storm !== null && stormRuns !== null) console.log(`\n${storm.name}\n${stormText(stormy, stormRuns)}`)
  }
  return [...compared, ...stormy]
}

/** One after the other, except where a trial has several runs: these are staggered over all such trials. */
async function compareAll(trials: readonly HttpTrial[], headgate: Algorithm, first: number): Promise<OverloadRow[]> {
  const http = new Map<HttpTrial, Figures[]>(trials.map((trial) => [trial, []]))
  const run = async (trial: HttpTrial, seed: number): Promise<void> => {
    const done = await runOverHttp(trial.scenario, 'headgate', seed)
    const figures = figuresOfHttp(trial, done, seed)
    http.get(trial)?.push(figures)
    say(`${trial.scenario.name}: ${figures.goodput.toFixed(3)} ÷ oracle${delays(done)}`)
  }
  for (const trial of trials) if (trial.runs === 1) await run(trial, first)
  const several = trials.flatMap((trial) => (trial.runs === 1 ? [] : Array.from({ length: trial.runs }, () => trial)))
  await Promise.all(several.map((trial, index) => sleep(index * STAGGER_MS).then(() => run(trial, first + index))))
  const rows = trials.flatMap((trial) => {
    const count = trial.outage === undefined ? MODEL_SEEDS : MODEL_SEEDS_OF_OUTAGES
    const seeds = Array.from({ length: count }, (_, index) => first + index)
    const model = seeds.map((seed) => figuresOfModel(trial, headgate, seed))
    return rowsOf(trial, model, http.get(trial) ?? [])
  })
  forgetRuns()
  return rows
}

async function runStorm(scenario: Scenario, headgate: Algorithm, seed: number): Promise<StormRuns> {
  const side = async (name: 'headgate' | 'naive'): Promise<HttpRun> => {
    const run = await runOverHttp(scenario, name, seed)
    say(`${scenario.name}, ${name}: done${delays(run)}`)
    return run
  }
  const [ours, naive] = [await side('headgate'), await side('naive')]
  return {
    http: { headgate: stormOf(ours.phases), naive: stormOf(naive.phases) },
    model: stormInModel(scenario, seed, gatesOf(headgate, seed)),
  }
}

function delays({ serverLoopDelayMs, clientLoopDelayMs }: HttpRun): string {
  return ` (p99 delay of the event loops: server ${serverLoopDelayMs} ms, client ${clientLoopDelayMs} ms)`
}

function load(): string {
  return (loadavg()[0] as number).toFixed(1)
}

function say(text: string): void {
  process.stderr.write(`  ${text}\n`)
}
