/**
 * What the process did with its time: how long the event loop was busy, how long collections took, how much CPU the
 * thread was given, and how late what falls due got its turn. All are sums since `start`. On some kernels asking for the
 * CPU time takes longer than all the rest of a status, so looks that follow one another closely share one reading.
 * `Meter` owns one.
 */
import {
  constants,
  type IntervalHistogram,
  monitorEventLoopDelay,
  type PerformanceEntry,
  PerformanceObserver,
  performance,
} from 'node:perf_hooks'
import type { ProcessStatus } from '../model/status.ts'

type CpuUsage = () => { readonly user: number; readonly system: number }
type Figures = Pick<ProcessStatus, 'loopActiveMs' | 'loopMs' | 'gcMs' | 'cpuMs' | 'lateMsSeconds'>

/** Of the thread from Node.js 23.9 on. */
const cpuUsage: CpuUsage = (
  (process as { threadCpuUsage?: CpuUsage }).threadCpuUsage ?? (() => process.cpuUsage())
).bind(process)

/** A window of the doctor is some seconds: this much makes no difference to it. */
const FRESH_MS = 100
/** A timer in the event loop's own code runs so often and notes how far apart its runs are. */
const TICK_MS = 10

export class ProcessClock {
  #gcMs = 0
  #observer: PerformanceObserver | null = null
  #loop = performance.eventLoopUtilization()
  #cpuMs = cpuMs()
  #ticks: IntervalHistogram | null = null
  #read: { readonly figures: Figures; readonly atMs: number } | null = null
  /** Once stopped: the figures as they were then. */
  #last: Figures | null = null

  start(): void {
    this.#loop = performance.eventLoopUtilization()
    this.#cpuMs = cpuMs()
    this.#read = null
    this.#ticks = monitorEventLoopDelay({ resolution: TICK_MS })
    this.#ticks.enable()
    this.#observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) if (!runsWeakCallbacks(entry)) this.#gcMs += entry.duration
    })
    this.#observer.observe({ entryTypes: ['gc'] })
  }

  stop(): void {
    this.#last ??= this.#now()
    this.#observer?.disconnect()
    this.#ticks?.disable()
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
      gcMs: this.#gcMs,
      cpuMs: cpuMs() - this.#cpuMs,
      lateMsSeconds: this.#ticks === null ? 0 : lateMsSeconds(this.#ticks),
    }
  }
}

/**
 * What falls due at any instant waits for the rest of what keeps the thread, half of it on average: of a tick that came
 * `late` ms too late, late² ÷ 2 in ms of lateness times ms of time.
 */
function lateMsSeconds({ count, mean, stddev }: IntervalHistogram): number {
  if (count === 0) return 0
  const lateMs = Math.max(0, mean / 1e6 - TICK_MS)
  const deviationMs = stddev / 1e6
  return (count * (lateMs ** 2 + deviationMs ** 2)) / 2 / 1000
}

function cpuMs(): number {
  const { user, system } = cpuUsage()
  return (user + system) / 1000
}

/** They are reported with the collection that they follow, which would then count twice. */
function runsWeakCallbacks(entry: PerformanceEntry): boolean {
  const { detail } = entry as { detail?: { kind?: number } }
  return detail?.kind === constants.NODE_PERFORMANCE_GC_WEAKCB
}
