/** `docs/metrics.md`, written from the table of figures. `scripts/metrics-reference.ts` writes the file; a test fails while the two differ. */
import { FAMILIES } from './families.ts'
import { BOUNDS_MS } from './prometheus.ts'

export function metricsReference(): string {
  const rows = FAMILIES.map(
    ({ name, type, labels, help }) =>
      `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help.replaceAll('|', '\\|')} |`,
  )
  const bounds = [BOUNDS_MS[0], BOUNDS_MS.at(-1)].map((ms) => `${(ms as number) / 1000}`)
  return `# Metrics

<!-- Written by \`npx tsx scripts/metrics-reference.ts\` from src/telemetry. -->

The console answers \`GET /metrics\` in Prometheus' text format; \`observe\` of \`headgate/telemetry\` hands the same figures to
OpenTelemetry. Every series has the label \`pipeline\`. Units are in the names. A figure that is not known is absent, never 0.
Histograms have the bounds ${bounds[0]} s, twice that, and so on to ${bounds[1]} s.

No label grows with the data: names of stages, sources and places come from the pipeline, all else from fixed lists, and of
the partitions of a source the first 256 are shown. Keys and tenants are never labels.

| name | type | labels | meaning |
| ---- | ---- | ------ | ------- |
${rows.join('\n')}
`
}
