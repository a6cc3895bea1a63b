/**
 * `headgate doctor`: looks at a running pipeline or at a report, and prints the diagnosis with its evidence. Called by the program with
 * parsed options; resolves with the exit code that says how the pipeline is.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { createLogUpdate } from 'log-update'
import { renderDiagnosis } from '../../console/terminal/report.ts'
import type { Diagnosis } from '../../model/diagnosis.ts'
import { CliFailure, EXIT } from '../failure.ts'
import { canRedraw, colourOn, OUTPUT } from '../output.ts'
import { askDiagnosis, askProfile } from './ask.ts'
import { exitCodeOf } from './exit-code.ts'
import { findTarget, type Target } from './find.ts'
import { readReport } from './report-file.ts'

export interface DoctorOptions {
  readonly watch?: boolean
  readonly json?: boolean
  readonly link?: boolean
  readonly profile?: boolean
  readonly interval: number
}

const COLUMNS = 80
const MOST_COLUMNS = 120
const LEAST_ROWS = 24

export async function doctor(given: string | undefined, options: DoctorOptions): Promise<number> {
  const target = findTarget(given)
  if (options.link === true) return printLink(target)
  if (target.kind === 'report') {
    if (options.profile === true) {
      throw new CliFailure('a report has no CPU to profile', { advice: 'Name a pipeline that runs.' })
    }
    if (options.watch === true) {
      throw new CliFailure('a report does not change', { advice: 'Leave --watch out, or name a pipeline that runs.' })
    }
    return printOnce(readReport(target.path), options)
  }
  if (options.profile === true) await askProfile(target.origin, target.token)
  const ask = (): Promise<Diagnosis> => askDiagnosis(target.origin, target.token)
  return options.watch === true ? watch(ask, options) : printOnce(await ask(), options)
}

function printOnce(diagnosis: Diagnosis, { json }: DoctorOptions): number {
  OUTPUT.data(json === true ? JSON.stringify(diagnosis, null, 2) : text(diagnosis))
  return exitCodeOf(diagnosis.health)
}

function printLink(target: Target): number {
  if (target.kind === 'report' || target.token === null) {
    throw new CliFailure('there is no link to print', {
      advice: 'The link is known on the machine of the pipeline, to the user that runs it.',
    })
  }
  OUTPUT.data(`${target.origin}/#token=${target.token}`)
  return EXIT.done
}

/** Until interrupted, or until the console is gone: then the last look says how it ended. */
async function watch(ask: () => Promise<Diagnosis>, { json, interval }: DoctorOptions): Promise<number> {
  const interrupted = new AbortController()
  const interrupt = (): void => interrupted.abort()
  process.once('SIGINT', interrupt)
  process.once('SIGTERM', interrupt)
  const show = json === true ? showJson : canRedraw() ? showRedrawn() : showNews()
  let last: Diagnosis | null = null
  try {
    while (!interrupted.signal.aborted) {
      try {
        last = await ask()
      } catch (failure) {
        if (last === null) throw failure
        OUTPUT.say(`${(failure as Error).message}; the last look is shown`)
        break
      }
      show(last)
      await sleep(interval, undefined, { signal: interrupted.signal }).catch(() => {})
    }
  } finally {
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
  }
  return last === null ? EXIT.done : exitCodeOf(last.health)
}

function showJson(diagnosis: Diagnosis): void {
  OUTPUT.data(JSON.stringify(diagnosis))
}

function showRedrawn(): (diagnosis: Diagnosis) => void {
  const update = createLogUpdate(process.stdout)
  // What does not fit is cut at the end: the verdict stands at the top.
  const rows = (): number => Math.max(1, (process.stdout.rows || LEAST_ROWS) - 1)
  return (diagnosis) => update(text(diagnosis).split('\n').slice(0, rows()).join('\n'))
}

/** A line whenever health or verdict have changed. */
function showNews(): (diagnosis: Diagnosis) => void {
  let shown = ''
  return ({ atMs, health, verdict }) => {
    const now = `${health.kind} ${verdict.bottleneck} ${verdict.kind}`
    if (now === shown) return
    shown = now
    OUTPUT.data(`${new Date(atMs).toISOString()} ${health.kind}: ${health.sentence} ${verdict.sentence}`)
  }
}

function text(diagnosis: Diagnosis): string {
  const columns = Math.min(MOST_COLUMNS, process.stdout.columns || COLUMNS)
  return renderDiagnosis(diagnosis, { columns, colour: colourOn(process.stdout) })
}
