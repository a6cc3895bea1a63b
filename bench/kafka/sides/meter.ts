/**
 * Takes a side's time, processor time and memory. The clock starts with the first record, so that nobody pays for
 * joining the group, and stops after the last commit. Every side calls `done` for each completion, or for many.
 */
import { readFileSync } from 'node:fs'
import type { SideReport } from './spec.ts'

const STEADY_FROM = 0.05
const STEADY_TO = 0.95

export class Meter {
  /** Of what the work saw. */
  sum = 0
  readonly #records: number
  readonly #finished: Promise<void>
  #finish: () => void = () => {}
  #startedMs = -1
  #cpu: NodeJS.CpuUsage = { user: 0, system: 0 }
  #done = 0
  #steadyFrom: [count: number, ms: number] | null = null
  #steadyTo: [count: number, ms: number] | null = null

  constructor(records: number) {
    this.#records = records
    this.#finished = new Promise((resolve) => {
      this.#finish = resolve
    })
  }

  get count(): number {
    return this.#done
  }

  /** The first record is here; later calls do nothing. */
  start(): void {
    if (this.#startedMs >= 0) return
    this.#startedMs = performance.now()
    this.#cpu = process.cpuUsage()
  }

  done(records = 1): void {
    this.#done += records
    if (this.#steadyFrom === null && this.#done >= this.#records * STEADY_FROM) this.#steadyFrom = this.#mark()
    if (this.#steadyTo === null && this.#done >= this.#records * STEADY_TO) this.#steadyTo = this.#mark()
    if (this.#done >= this.#records) this.#finish()
  }

  /** So many are done in all. */
  reach(records: number): void {
    if (records > this.#done) this.done(records - this.#done)
  }

  #mark(): [number, number] {
    return [this.#done, performance.now()]
  }

  /** Resolves when all records are done. */
  get finished(): Promise<void> {
    return this.#finished
  }

  /** Called after the last commit. */
  report(notes: Readonly<Record<string, number>> = {}): SideReport {
    const seconds = (performance.now() - this.#startedMs) / 1000
    const { user, system } = process.cpuUsage(this.#cpu)
    const [fromCount, fromMs] = this.#steadyFrom ?? [0, this.#startedMs]
    const [toCount, toMs] = this.#steadyTo ?? this.#mark()
    return {
      ...{ records: this.#done, seconds, cpuSeconds: (user + system) / 1e6, rssMiB: peakMiB(), sum: this.sum, notes },
      steadyPerSecond: toCount > fromCount ? ((toCount - fromCount) * 1000) / (toMs - fromMs) : this.#done / seconds,
    }
  }
}

function peakMiB(): number {
  const peak = /^VmHWM:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))
  return peak ? Number(peak[1]) / 1024 : process.resourceUsage().maxRSS / 1024
}
