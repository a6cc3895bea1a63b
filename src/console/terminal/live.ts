/**
 * The live view: draws the status four times a second, in place, with only the changed lines rewritten. `headgate run`
 * starts it on a terminal and stops it before the summary. It owns the screen between the two: the cursor is hidden,
 * other writers are captured, and whatever way the process ends, the cursor comes back.
 */
import { createLogUpdate } from 'log-update'
import type { Diagnosis } from '../../model/diagnosis.ts'
import type { Status } from '../../model/status.ts'
import { captureLines } from './capture.ts'
import { History } from './history.ts'
import { renderView } from './render.ts'

const REDRAW_MS = 250
const HIDE_CURSOR = '\u001b[?25l'
const SHOW_CURSOR = '\u001b[?25h'

export interface LiveOptions {
  readonly status: () => Status
  /** The present diagnosis; undefined while there is none. */
  readonly diagnose?: (() => Diagnosis | undefined) | undefined
  readonly stream: NodeJS.WriteStream
  readonly colour: boolean
}

export interface LiveView {
  /** A sentence under the verdict, until it is replaced; empty to remove it. */
  note(sentence: string): void
  /** Draws the status a last time, leaves it on the screen, and gives the terminal back. */
  stop(last?: Status): void
}

export function startLiveView({ status, diagnose, stream, colour }: LiveOptions): LiveView {
  const write = stream.write.bind(stream)
  const screen = {
    write,
    isTTY: true,
    get columns() {
      return stream.columns
    },
    get rows() {
      return stream.rows
    },
  } as unknown as NodeJS.WriteStream
  const update = createLogUpdate(screen, { showCursor: true })
  const history = new History()
  let sentence = ''

  let diagnosis: Diagnosis | undefined
  let draws = 0

  const draw = (shown: Status): void => {
    history.add(shown)
    // Half as often: words that change four times a second are not read.
    if (draws++ % 2 === 0) diagnosis = diagnose?.()
    const view = { columns: stream.columns || 80, rows: stream.rows, colour, history, note: sentence }
    update(renderView(shown, { ...view, diagnosis }))
  }
  const showCursor = (): void => {
    write(SHOW_CURSOR)
  }

  const capture = captureLines([process.stdout, process.stderr], (lines) => {
    update.persist(lines)
    draw(status())
  })
  write(HIDE_CURSOR)
  process.once('exit', showCursor)
  draw(status())
  const redraw = setInterval(() => draw(status()), REDRAW_MS)

  let stopped = false
  return {
    note(text) {
      sentence = text
    },
    stop(last) {
      if (stopped) return
      stopped = true
      clearInterval(redraw)
      capture.release()
      sentence = ''
      draw(last ?? status())
      update.done()
      process.off('exit', showCursor)
      showCursor()
    },
  }
}
