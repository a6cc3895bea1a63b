/**
 * Looks at the pipeline while the console is up: once a second for the history and the probes, twice while a page is
 * open. Each look is serialised once, and all open pages are sent the same bytes. A page that does not keep up misses
 * looks instead of filling memory, and one that has taken nothing for long is let go.
 */
import type { ServerResponse } from 'node:http'
import { describe } from '../../model/errors.ts'
import type { Logger } from '../../model/logger.ts'
import type { ConsoleTick, ProbeDocument } from '../documents.ts'
import { beginStream } from './answer.ts'
import type { Control } from './control.ts'
import { History } from './history.ts'
import { maskedJson } from './masked-json.ts'
import { Progress } from './progress.ts'
import { Refusal } from './refusal.ts'
import type { ConsoleTarget } from './target.ts'

const TICK_MS = 500
const TICKS_A_SAMPLE = 2
const MOST_PAGES = 32
/** A page this many ticks behind is gone: a laptop asleep, a tab that was frozen. */
const MOST_MISSED = 20
const RECENT_MS = 60_000
const AUDIT_SHOWN = 20

interface OpenPage {
  readonly response: ServerResponse
  missed: number
}

export class Feed {
  readonly history = new History()
  readonly #target: ConsoleTarget
  readonly #control: Control
  readonly #log: Logger
  readonly #progress: Progress
  readonly #pages = new Set<OpenPage>()
  #health: ProbeDocument = { ok: true, reason: 'starting' }
  #ticks = 0
  /** Said once, not twice a second. */
  #failing = false
  #timer: NodeJS.Timeout | undefined

  constructor(target: ConsoleTarget, control: Control, stalledAfterMs: number, log: Logger) {
    this.#target = target
    this.#control = control
    this.#log = log
    this.#progress = new Progress(stalledAfterMs)
  }

  start(): void {
    this.#tick()
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    for (const { response } of this.#pages) response.end()
    this.#pages.clear()
  }

  /** What the last look said. */
  get health(): ProbeDocument {
    return this.#health
  }

  /** Sends ticks to this page until it leaves. */
  open(response: ServerResponse): void {
    if (this.#pages.size >= MOST_PAGES) {
      throw new Refusal(503, 'busy', `${MOST_PAGES} pages are open already; close one of them`)
    }
    beginStream(response)
    const page: OpenPage = { response, missed: 0 }
    this.#pages.add(page)
    response.on('error', () => {})
    response.once('close', () => this.#pages.delete(page))
    response.write(eventOf(this.#look()))
  }

  /** Whatever goes wrong with looking must not reach the pipeline that is looked at. */
  #tick(): void {
    const samples = this.#ticks++ % TICKS_A_SAMPLE === 0
    if (!samples && this.#pages.size === 0) return
    try {
      const tick = this.#look(samples)
      if (this.#pages.size === 0) return
      const event = eventOf(tick)
      for (const page of this.#pages) send(page, event)
    } catch (thrown) {
      if (!this.#failing) this.#log.error({}, `console: it cannot look at the pipeline: ${describe(thrown)}`)
      this.#failing = true
      return
    }
    this.#failing = false
  }

  #look(samples = false): ConsoleTick {
    const { history } = this
    const { status, diagnosis } = this.#target.look()
    if (samples) {
      history.add(status, diagnosis, this.#target.latencies())
      this.#health = this.#progress.observe(status, performance.now())
    }
    return {
      status,
      diagnosis,
      limits: this.#target.limits(),
      sample: history.latest,
      verdicts: history.verdictsSince(status.nowMs - RECENT_MS),
      audit: this.#control.audit.slice(0, AUDIT_SHOWN),
    }
  }
}

function eventOf(tick: ConsoleTick): Buffer {
  return Buffer.from(`event: tick\ndata: ${maskedJson(tick)}\n\n`)
}

/** Only to a page that has taken the last one. */
function send(page: OpenPage, event: Buffer): void {
  const { response } = page
  if (response.writableLength === 0) {
    page.missed = 0
    response.write(event)
  } else if ((page.missed += 1) > MOST_MISSED) {
    response.destroy()
  }
}
