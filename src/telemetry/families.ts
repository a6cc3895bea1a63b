/**
 * The one table of all figures that leave the process. The Prometheus text, the OpenTelemetry instruments and
 * `docs/metrics.md` are made of it, and the tests of the dashboard and of the alerts look their names up here. Invariant: every label has few
 * values, whatever the records contain: names of the plan and fixed words, never a key or a tenant; partitions are cut off.
 */
import type { Family } from './family.ts'
import { PIPELINE_FAMILIES } from './pipeline-families.ts'
import { sourceFamilies } from './source-families.ts'
import { stageFamilies } from './stage-families.ts'

export const FAMILIES: readonly Family[] = [...PIPELINE_FAMILIES, ...sourceFamilies(), ...stageFamilies()]
