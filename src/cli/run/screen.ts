/**
 * What a run shows while it runs: the live view on a terminal, log lines elsewhere. `run` talks to this face and does
 * not care which it is. Everything goes to standard error, except the live view's terminal: standard output belongs
 * to the pipeline.
 */
import { type LiveView, startLiveView } from '../../console/terminal/live.ts'
import type { Diagnosis } from '../../model/diagnosis.ts'
import type { Logger } from '../../model/logger.ts'
import type { Status } from '../../model/status.ts'
import { canRedraw, colourOn, OUTPUT } from '../output.ts'
import { createRunLogger, type LogLevel } from './run-logger.ts'
import { statusFields, statusSentence } from './status-line.ts'

export interface ScreenOptions {
  readonly plain: boolean
  readonly intervalMs: number
  readonly level: LogLevel
  readonly format: 'text' | 'json'
}

export interface Screen {
  readonly log: Logger
  /** Begins to show the status and what the doctor says of it, until `stop`. */
  follow(status: () => Status, diagnose: () => Diagnosis | undefined): void
  /** Once a second during a drain: what it is waiting for. */
  draining(sentence: string): void
  /** Leaves the last status shown and gives the terminal back. */
  stop(last?: Status): void
  /** The last word: lines for people, or one log line with the figures for a collector. */
  conclude(text: string, last: Status): void
}

export function createScreen({ plain, intervalMs, level, format }: ScreenOptions): Screen {
  const live = !plain && canRedraw()
  const colour = colourOn(process.stderr)
  // Written through the stream itself: while the live view is drawn it captures the stream and prints above itself.
  const log = createRunLogger({ level, format, colour: colour && format === 'text', write: OUTPUT.say })
  let view: LiveView | undefined
  let timer: NodeJS.Timeout | undefined

  return {
    log,
    follow(status, diagnose) {
      if (live) {
        view = startLiveView({ status, diagnose, stream: process.stderr, colour })
        return
      }
      timer = setInterval(() => {
        const now = status()
        if (now.state === 'draining') return
        if (format === 'json') log.info(statusFields(now), now.verdict || now.state)
        else log.info({}, statusSentence(now))
      }, intervalMs)
    },
    draining(sentence) {
      if (view) view.note(sentence)
      else log.info({}, sentence)
    },
    stop(last) {
      clearInterval(timer)
      view?.stop(last)
      if (view) OUTPUT.say('')
      view = undefined
    },
    conclude(text, last) {
      if (format === 'text') OUTPUT.say(text)
      else log.info(statusFields(last), text.split('\n', 1)[0] as string)
    },
  }
}
