/**
 * `headgate run`: loads a pipeline, starts it, shows it, and ends it in order. Called by the program with parsed
 * options; resolves with the exit code. Whatever happens after the start, the screen is given back, the report is
 * written, and the summary says how it ended.
 */

import { duration } from '../../console/terminal/figures.ts'
import { describe } from '../../model/errors.ts'
import type { Status } from '../../model/status.ts'
import { formatCount } from '../../model/units.ts'
import { explain, verbose } from '../failure.ts'
import { prepareJson, writeJson } from '../json-file.ts'
import { OUTPUT } from '../output.ts'
import { type ConsoleRunOptions, consoleAddress, openConsole } from './console.ts'
import type { LoadedPipeline, StartedPipeline } from './contract.ts'
import { readLimits, saveLimits, saveLimitsRegularly } from './limits-file.ts'
import { loadPipeline } from './load-pipeline.ts'
import { neverStarted } from './never-started.ts'
import type { LogLevel } from './run-logger.ts'
import { createScreen, type Screen } from './screen.ts'
import { listenForStop, type StopReason } from './stop-request.ts'
import { type Ending, exitCodeOf, summary } from './summary.ts'

const DRAIN_MS = 25_000

export interface RunOptions extends ConsoleRunOptions {
  readonly for?: number
  readonly report?: string
  readonly limits?: string
  readonly drain?: number
  readonly replicas?: number
  readonly maxReplicas?: number
  readonly plain?: boolean
  readonly tty: boolean
  readonly interval: number
  readonly logLevel: LogLevel
  readonly logFormat: 'text' | 'json'
}

export async function run(file: string, options: RunOptions): Promise<number> {
  const report = options.report === undefined ? null : prepareJson('the report', options.report)
  const limits = options.limits === undefined ? null : prepareJson('the learned limits', options.limits)
  const address = consoleAddress(options)
  const pipeline = await loadPipeline(file)
  const screen = createScreen({
    plain: options.plain === true || !options.tty,
    intervalMs: options.interval,
    level: options.logLevel,
    format: options.logFormat,
  })

  let running: StartedPipeline | undefined
  const stop = listenForStop((exitCode) => {
    const last = running?.status()
    screen.stop(last)
    OUTPUT.say(`Ended at once. ${redelivery(last)}`)
    if (report && last) writeJson('the report', report, last)
    process.exit(exitCode)
  })
  const startedAtMs = Date.now()
  try {
    const learned = limits === null ? undefined : readLimits(limits, screen.log)
    const doctor = { replicas: options.replicas, maxReplicas: options.maxReplicas }
    running = await pipeline.start({ log: screen.log, doctor, ...(learned === undefined ? {} : { learned }) })
  } catch (error) {
    stop.dispose()
    return couldNotStart(pipeline, startedAtMs, error, report)
  }

  let closeConsole = async (): Promise<void> => {}
  try {
    if (address !== null) closeConsole = (await openConsole(running, address, options, screen.log)).close
  } catch (error) {
    stop.dispose()
    await running.stop()
    throw error
  }
  if (options.for !== undefined) stop.after(options.for)
  const started = running
  screen.follow(
    () => started.status(),
    // A copy of Headgate that is older than this command has no doctor that shares its looks.
    () => (started as Partial<StartedPipeline>).look?.().diagnosis,
  )
  const endSaving = limits === null ? () => {} : saveLimitsRegularly(limits, running, screen.log)
  const ending = await end(running, stop.first, options.drain ?? pipeline.plan.drainMs ?? DRAIN_MS, screen)
  screen.stop(ending.status)
  stop.dispose()
  await closeConsole()
  endSaving()
  if (limits) saveLimits(limits, running)
  if (report) writeJson('the report', report, ending.status)
  screen.conclude(summary(ending, options.report ?? null), ending.status)
  return exitCodeOf(ending)
}

/** Waits until the pipeline ends by itself or is asked to, and sees it to its end. */
async function end(
  running: StartedPipeline,
  stopAsked: Promise<StopReason>,
  withinMs: number,
  screen: Screen,
): Promise<Ending> {
  const first = await Promise.race([running.done, stopAsked])
  if ('schema' in first) return { status: first, drained: false, returnedByDeadline: 0 }
  if (first.kind === 'crash') return crashed(running, first.error)
  return drain(running, first, withinMs, screen)
}

async function drain(running: StartedPipeline, reason: StopReason, withinMs: number, screen: Screen): Promise<Ending> {
  const before = running.status().records.returned
  const beganMs = performance.now()
  const elapsed = (): number => performance.now() - beganMs
  const why = reason.kind === 'signal' ? `${reason.signal} received` : 'Time is up'
  const say = (): void => {
    const left = Math.max(0, withinMs - elapsed())
    screen.draining(`Draining, ${duration(Math.ceil(left / 1000) * 1000)} left: ${running.waitingFor()}`)
  }
  screen.log.info({}, `${why}: draining within ${duration(withinMs)}. A second signal ends it at once.`)
  say()
  const saying = setInterval(say, 1000)
  try {
    const status = await running.drain({ withinMs })
    const late = elapsed() >= withinMs
    return { status, drained: true, returnedByDeadline: late ? status.records.returned - before : 0 }
  } finally {
    clearInterval(saying)
  }
}

/** An error that no handler caught leaves the process in an unknown state: nothing more is completed or committed. */
async function crashed(running: StartedPipeline, error: unknown): Promise<Ending> {
  const status = await running.stop().catch(() => running.status())
  OUTPUT.say(explain(error, verbose()).text)
  const failed: Status = {
    ...status,
    state: 'failed',
    error: { code: codeOf(error), message: `outside of every handler: ${describe(error)}` },
  }
  return { status: failed, drained: false, returnedByDeadline: 0 }
}

function couldNotStart(pipeline: LoadedPipeline, startedAtMs: number, error: unknown, report: string | null): number {
  const status = neverStarted(pipeline.plan.name, startedAtMs, { code: codeOf(error), message: describe(error) })
  if (report) writeJson('the report', report, status)
  const said = explain(error, verbose())
  OUTPUT.say(`${said.text}\n${pipeline.plan.name} did not start${report ? `; report: ${report}` : ''}`)
  return said.exitCode
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : 'HG_HANDLER_FAILED'
}

function redelivery(status: Status | undefined): string {
  if (!status) return 'Nothing had been pulled yet.'
  const uncommitted = status.sources.reduce((sum, source) => sum + source.uncommittedRecords, 0)
  const open = status.records.inFlight + uncommitted
  return open > 0
    ? `${formatCount(open, 'record')} ${open === 1 ? 'was' : 'were'} not committed and will be delivered again.`
    : 'Records that were not committed will be delivered again.'
}
