/**
 * What the terminal view remembers between redraws: one sample a second, at most two minutes of them. Rates and the
 * share of slot time are differences between now and a sample some seconds back, so a restart of the counters or a
 * paused terminal shows as unknown, never as a wrong figure. The live view adds to it; rendering only reads it.
 */
import { SLOT_STATES, type SlotState, type StageStatus, type Status } from '../../model/status.ts'

const SAMPLE_MS = 1000
const CAPACITY = 120

interface StageSample {
  readonly first: number
  readonly attempts: number
  readonly rejected429: number
  readonly states: Readonly<Record<SlotState, number>>
}

interface Sample {
  readonly nowMs: number
  readonly in: number
  readonly done: number
  readonly stages: ReadonlyMap<string, StageSample>
}

/** What one stage did between two moments. */
export interface StageWindow {
  readonly first: number
  readonly attempts: number
  readonly rejected429: number
  /** Share of slot time in each state; null while no slot time has passed. */
  readonly shares: Readonly<Record<SlotState, number>> | null
}

/** Records that reached an end of their own: written, filtered, dead-lettered or skipped. */
export function completed(status: Status): number {
  const { out, filtered, deadLettered, skipped } = status.records
  return out + filtered + deadLettered + skipped
}

export class History {
  private readonly samples: Sample[] = []
  private readonly used = new Set<string>()

  /** Remembers the status if a second has passed since the last sample; a clock or counter that fell starts afresh. */
  add(status: Status): void {
    for (const { name, records } of status.places) if (records !== null && records > 0) this.used.add(name)
    const last = this.samples.at(-1)
    if (last && (status.nowMs < last.nowMs || status.records.in < last.in)) this.samples.length = 0
    else if (last && status.nowMs - last.nowMs < SAMPLE_MS) return
    this.samples.push(sample(status))
    if (this.samples.length > CAPACITY) this.samples.shift()
  }

  /** True when the place has held a record since the view began. */
  hasHeld(place: string): boolean {
    return this.used.has(place)
  }

  /** Records delivered a second over the last ten seconds, or null before there are two moments to compare. */
  inPerSecond(status: Status): number | null {
    const then = this.before(status, 10_000)
    return then && ((status.records.in - then.in) * 1000) / (status.nowMs - then.nowMs)
  }

  /** The last `points` one-second rates, oldest first; shorter while the history is. */
  series(points: number): { in: number[]; done: number[] } {
    const recent = this.samples.slice(-(points + 1))
    const result = { in: [] as number[], done: [] as number[] }
    for (let index = 1; index < recent.length; index += 1) {
      const [then, now] = [recent[index - 1] as Sample, recent[index] as Sample]
      const seconds = (now.nowMs - then.nowMs) / 1000
      result.in.push((now.in - then.in) / seconds)
      result.done.push((now.done - then.done) / seconds)
    }
    return result
  }

  /** What the stage did over the last five seconds; since the start while nothing is remembered. */
  stage(status: Status, stage: StageStatus): StageWindow {
    const then = this.before(status, 5_000)?.stages.get(stage.name)
    return {
      first: stage.first - (then?.first ?? 0),
      attempts: stage.attempts - (then?.attempts ?? 0),
      rejected429: stage.rejected429 - (then?.rejected429 ?? 0),
      shares: shares(stage.states, then?.states),
    }
  }

  /** The youngest sample at least `ms` old, else the oldest one that is not of this very moment. */
  private before(status: Status, ms: number): Sample | null {
    const old = this.samples.findLast((one) => status.nowMs - one.nowMs >= ms) ?? this.samples[0]
    return old && old.nowMs < status.nowMs ? old : null
  }
}

function sample(status: Status): Sample {
  return {
    nowMs: status.nowMs,
    in: status.records.in,
    done: completed(status),
    stages: new Map(
      status.stages.map(({ name, first, attempts, rejected429, states }) => [
        name,
        { first, attempts, rejected429, states: { ...states } },
      ]),
    ),
  }
}

function shares(
  now: Readonly<Record<SlotState, number>>,
  then: Readonly<Record<SlotState, number>> | undefined,
): Record<SlotState, number> | null {
  const spent = SLOT_STATES.map((state) => Math.max(0, now[state] - (then?.[state] ?? 0)))
  const total = spent.reduce((sum, seconds) => sum + seconds, 0)
  if (total <= 0) return null
  return Object.fromEntries(SLOT_STATES.map((state, index) => [state, (spent[index] as number) / total])) as Record<
    SlotState,
    number
  >
}
