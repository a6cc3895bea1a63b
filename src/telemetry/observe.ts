/**
 * The table of figures as OpenTelemetry instruments. They are observed: nothing is recorded for a record, and one look at the pipeline serves
 * a whole collection. Histograms become quantiles of what ended since the last collection, because the API has no observable histogram.
 */
import type { LatencyCounts } from '../engine/histogram.ts'
import type { Running } from '../runtime/start.ts'
import { FAMILIES } from './families.ts'
import type { Family, Figures } from './family.ts'
import { loadApi, type MeterLike, type ResultLike } from './otel-api.ts'

export interface ObserveOptions {
  /** Default: the meter `headgate` of the global provider. */
  readonly meter?: MeterLike
}

export type Observed = Pick<Running, 'status' | 'diagnose' | 'latencies'>

const QUANTILES = [0.5, 0.95, 0.99] as const

/** Hands the figures of a running pipeline to OpenTelemetry until `stop`. Throws `HG_OPTION_INVALID` without `@opentelemetry/api`. */
export function observe(running: Observed, options: ObserveOptions = {}): { stop(): void } {
  const meter = options.meter ?? loadApi('observe').metrics.getMeter('headgate')
  const instruments = FAMILIES.map((family) => [family, instrumentOf(meter, family)] as const)
  const before = new Map<string, LatencyCounts>()
  const collect = (result: ResultLike): void => {
    const figures = { status: running.status(), diagnosis: running.diagnose(), latencies: running.latencies() }
    for (const [family, instrument] of instruments)
      observeFamily(family, figures, before, (value, attributes) => {
        result.observe(instrument as never, value, attributes)
      })
  }
  const observables = instruments.map(([, instrument]) => instrument) as never[]
  meter.addBatchObservableCallback(collect, observables)
  return { stop: () => meter.removeBatchObservableCallback(collect, observables) }
}

/** `headgate_stage_state_seconds_total` → `headgate.stage_state_seconds`, unit `s`. */
export function instrumentName({ name, type }: Pick<Family, 'name' | 'type'>): string {
  const bare = name.replace(/^headgate_/, 'headgate.').replace(/_total$/, '')
  return type === 'histogram' ? bare.replace(/_seconds$/, '_quantile_seconds') : bare
}

function instrumentOf(meter: MeterLike, family: Family): object {
  const { help: description, type } = family
  const name = instrumentName(family)
  const unit = unitOf(name)
  return type === 'counter'
    ? meter.createObservableCounter(name, { description, unit })
    : meter.createObservableGauge(name, { description, unit })
}

function unitOf(name: string): string {
  if (name.endsWith('_per_second')) return '1/s'
  if (name.endsWith('_seconds')) return 's'
  if (name.endsWith('_bytes')) return 'By'
  return '1'
}

function observeFamily(
  family: Family,
  figures: Figures,
  before: Map<string, LatencyCounts>,
  tell: (value: number, attributes: Record<string, string>) => void,
): void {
  const { pipeline } = figures.status
  if (family.type !== 'histogram') {
    for (const [labels, value] of family.read(figures)) tell(value, { pipeline, ...labels })
    return
  }
  for (const [labels, counts] of family.read(figures)) {
    const key = `${family.name} ${JSON.stringify(labels)}`
    const window = counts.since(before.get(key))
    before.set(key, counts)
    for (const q of QUANTILES) {
      const ms = window.quantile(q)
      if (ms !== null) tell(ms / 1000, { pipeline, ...labels, quantile: String(q) })
    }
  }
}
