/**
 * The figures of a pipeline in Prometheus' text format, version 0.0.4. The console answers `/metrics` with it. Invariant: every
 * name, label and help text comes from `FAMILIES`; values of labels are escaped, so that no name of a stage can make a line of its own.
 */
import type { Latencies, LatencyCounts } from '../engine/histogram.ts'
import type { Diagnosis } from '../model/diagnosis.ts'
import type { Status } from '../model/status.ts'
import type { Running } from '../runtime/start.ts'
import { FAMILIES } from './families.ts'
import type { Family, Figures } from './family.ts'

/** Powers of two from 1 ms to about 70 minutes: the histogram's own bounds, so that nothing is interpolated. */
export const BOUNDS_MS: readonly number[] = Array.from({ length: 23 }, (_, power) => 2 ** power)

/** What `/metrics` of the console answers, for a server of one's own: content type `text/plain; version=0.0.4`. */
export function prometheusText(running: Pick<Running, 'status' | 'diagnose' | 'latencies'>): string {
  return exposition(running.status(), running.diagnose(), running.latencies())
}

export function exposition(status: Status, diagnosis: Diagnosis, latencies: Latencies): string {
  const figures = { status, diagnosis, latencies }
  return FAMILIES.map((family) => familyText(family, figures)).join('')
}

function familyText(family: Family, figures: Figures): string {
  const { name, type, help } = family
  const pipeline = figures.status.pipeline
  const lines = [`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`]
  if (family.type === 'histogram') {
    for (const [labels, counts] of family.read(figures))
      lines.push(...histogramLines(name, { pipeline, ...labels }, counts))
  } else {
    for (const [labels, value] of family.read(figures)) {
      lines.push(`${name}${labelText({ pipeline, ...labels })} ${numberText(value)}`)
    }
  }
  return lines.length > 2 ? `${lines.join('\n')}\n` : ''
}

function histogramLines(name: string, labels: Readonly<Record<string, string>>, counts: LatencyCounts): string[] {
  const buckets = counts.below(BOUNDS_MS).map((count, index) => {
    const le = numberText((BOUNDS_MS[index] as number) / 1000)
    return `${name}_bucket${labelText({ ...labels, le })} ${count}`
  })
  return [
    ...buckets,
    `${name}_bucket${labelText({ ...labels, le: '+Inf' })} ${counts.total}`,
    `${name}_sum${labelText(labels)} ${numberText(counts.sumMs / 1000)}`,
    `${name}_count${labelText(labels)} ${counts.total}`,
  ]
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${escapeValue(value)}"`)
  return `{${parts.join(',')}}`
}

function escapeValue(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"')
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  return String(value)
}
