/** Writes `docs/metrics.md` from the table of figures: `npx tsx scripts/metrics-reference.ts`. A test compares the two. */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { metricsReference } from '../src/telemetry/reference.ts'

writeFileSync(fileURLToPath(new URL('../docs/metrics.md', import.meta.url)), metricsReference())
