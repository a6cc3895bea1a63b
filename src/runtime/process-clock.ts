/**
 * What the process did with its time: how long the event loop was busy, how long collections took, how much CPU the
 * thread was given. All are sums since `start`. On some kernels asking for the CPU time takes longer than all the rest of
 * a status, so looks that follow one another closely share one reading. `Meter` owns one.
 */
import { constants, type PerformanceEntry, PerformanceObserver, performance } from 'node:perf_hooks'
import type { ProcessStatus } from '../model/status.ts'

type CpuUsage = () => { readonly user: number; readonly system: number }
type Figures = Pick<ProcessStatus, 'loopActiveMs' | 'loopMs' | 'gcMs' | 'cpuMs'>

/** Of the thread from Node.js 23.9 on. */
const cpuUsage: CpuUsage = (
  (process as { threadCpuUsage?: CpuUsage }).threadCpuUsage ?? (() => process.cpuUsage())
).bind(process)

/** A window of the doctor is some seconds: this much makes no difference to it. */
const FRESH_MS = 100

export class ProcessClock {
  #gcMs = 0
  #observer: PerformanceObserver | null = null
  #loop = performance.eventLoopUtilization()
  #cpuMs = cpuMs()
  #read: { readonly figures: Figures; readonly atMs: number } | null = null
  /** Once stopped: the figures as they were then. */
  #last: Figures | null = null

  start(): void {
    this.#loop = performance.eventLoopUtilization()
    this.#cpuMs = cpuMs()
    this.#read = null
    this.#observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) if (!runsWeakCallbacks(entry)) this.#gcMs += entry.duration
    })
    this.#observer.observe({ entryTypes: ['gc'] })
  }

  stop(): void {
    this.#last ??= this.#now()
    this.#observer?.disconnect()
  }

  read(): Figures {
    if (this.#last !== null) return this.#last
    const nowMs = performance.now()
    if (this.#read === null || nowMs - this.#read.atMs > FRESH_MS) this.#read = { figures: this.#now(), atMs: nowMs }
    return this.#read.figures
  }

  #now(): Figures {
    const { active, idle } = performance.eventLoopUtilization(this.#loop)
    return { loopActiveMs: active, loopMs: active + idle, gcMs: this.#gcMs, cpuMs: cpuMs() - this.#cpuMs }
  }
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
