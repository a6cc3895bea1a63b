/**
 * What the process did with its time: how long the event loop was busy, how long collections took, how much CPU the
 * thread was given, and how late what falls due got its turn. All are sums since `start`. On some kernels asking for the
 * CPU time takes longer than all the rest of a status, so looks that follow one another closely share one reading.
 * `Meter` owns one, and tells it four times a second that time has passed.
 */
import { performance } from 'node:perf_hooks'
import type { ProcessStatus } from '../model/status.ts'
import { Collections } from './collections.ts'

type CpuUsage = () => { readonly user: number; readonly system: number }
type Figures = Pick<ProcessStatus, 'loopActiveMs' | 'loopMs' | 'gcMs' | 'cpuMs' | 'lateMsSeconds'>

/** Of the thread from Node.js 23.9 on. */
const cpuUsage: CpuUsage = (
  (process as { threadCpuUsage?: CpuUsage }).threadCpuUsage ?? (() => process.cpuUsage())
).bind(process)

/** A window of the doctor is some seconds: this much makes no difference to it. */
const FRESH_MS = 100
/**
 * A timer runs so often and notes how late it is. Node's own (`monitorEventLoopDelay`) keeps a histogram, and each reading
 * of its mean and deviation goes through thousands of counts three times.
 */
const TICK_MS = 10

export class ProcessClock {
  readonly #collections = new Collections()
  #loop = performance.eventLoopUtilization()
  #cpuMs = cpuMs()
  #timer: NodeJS.Timeout | undefined
  #tickedMs = 0
  #lateMsSeconds = 0
  #read: { readonly figures: Figures; readonly atMs: number } | null = null
  /** While stopped: the figures as they were then. */
  #last: Figures | null = null

  /** Also after `stop`: all sums then begin anew. */
  start(): void {
    this.#last = null
    this.#lateMsSeconds = 0
    this.#loop = performance.eventLoopUtilization()
    this.#cpuMs = cpuMs()
    this.#read = null
    this.#collections.start()
    this.#tickedMs = performance.now()
    this.#timer = setInterval(this.#tick, TICK_MS)
    this.#timer.unref()
  }

  stop(): void {
    this.#last ??= this.#now()
    clearInterval(this.#timer)
    this.#collections.stop()
  }

  sampled(): void {
    this.#collections.sampled()
  }

  /**
   * What falls due at any instant waits for the rest of what keeps the thread, half of it on average: of a tick that
   * came `late` ms too late, late² ÷ 2 in ms of lateness times ms of time.
   */
  readonly #tick = (): void => {
    const nowMs = performance.now()
    const lateMs = nowMs - this.#tickedMs - TICK_MS
    this.#tickedMs = nowMs
    if (lateMs > 0) this.#lateMsSeconds += lateMs ** 2 / 2 / 1000
  }

  read(): Figures {
    if (this.#last !== null) return this.#last
    const nowMs = performance.now()
    if (this.#read === null || nowMs - this.#read.atMs > FRESH_MS) this.#read = { figures: this.#now(), atMs: nowMs }
    return this.#read.figures
  }

  #now(): Figures {
    const { active, idle } = performance.eventLoopUtilization(this.#loop)
    return {
      loopActiveMs: active,
      loopMs: active + idle,
      gcMs: this.#collections.ms,
      cpuMs: cpuMs() - this.#cpuMs,
      lateMsSeconds: this.#lateMsSeconds,
    }
  }
}

function cpuMs(): number {
  const { user, system } = cpuUsage()
  return (user + system) / 1000
}
