/**
 * Every option of a pipeline by the place where it is given, and the reference that prints them as a document. The
 * schemas stand in `pipeline-options.ts` and `stage-options.ts`. Invariant: what is printed is what is checked.
 */
import type { z } from 'zod'
import { adaptiveSchema } from './concurrency-options.ts'
import { docOf, objectInside } from './option.ts'
import { pipelineSchema, sourceSchema } from './pipeline-options.ts'
import {
  backoffSchema,
  batchSchema,
  callSchema,
  rateSchema,
  routeSchema,
  sinkSchema,
  stageSchema,
} from './stage-options.ts'

/** The options by the place where they are given, in the order of a pipeline. */
export const SECTIONS: readonly { readonly title: string; readonly schema: z.ZodObject }[] = [
  { title: "pipeline('name', …)", schema: pipelineSchema },
  { title: '.from({ source, … })', schema: sourceSchema },
  { title: '.map · .filter · .tap · .flatMap', schema: stageSchema },
  { title: '.call', schema: callSchema },
  { title: 'adaptive', schema: adaptiveSchema },
  { title: 'perSecond · perMinute', schema: rateSchema },
  { title: 'exponential', schema: backoffSchema },
  { title: '.batch', schema: batchSchema },
  { title: '.route', schema: routeSchema },
  { title: '.to', schema: sinkSchema },
]

export interface OptionRow {
  /** Dotted, as written: `retry.attempts`. */
  readonly path: string
  readonly about: string
  readonly expected: string
  readonly unit: string
  readonly fallback: string
  readonly raise: string
  readonly lower: string
}

/** The options of one schema, those inside an option after it. */
export function optionRows(schema: z.ZodObject, above = ''): OptionRow[] {
  return Object.entries(schema.shape).flatMap(([name, value]) => {
    const option = value as z.ZodType
    const doc = docOf(option)
    const inside = objectInside(option)
    const path = `${above}${name}`
    const own = { about: '', expected: '', unit: '', fallback: '', raise: '', lower: '', ...doc, path }
    return inside ? [own, ...optionRows(inside, `${path}.`)] : [own]
  })
}

/** All options as a markdown document: one table a place, one row an option. */
export function optionsReference(): string {
  const parts = SECTIONS.map(({ title, schema }) => `## ${code(title)}\n\n${table(optionRows(schema))}`)
  return `# Options\n\n${INTRODUCTION}\n\n${parts.join('\n\n')}\n`
}

const INTRODUCTION = `Every option has a default: a pipeline that gives none is bounded everywhere. The unit stands in
the name or in the table. An option that is wrong, or unknown, is refused when the pipeline is built.`

function table(rows: readonly OptionRow[]): string {
  const header =
    '| Option | Takes | Unit | Default | What it does | Raise when | Lower when |\n|---|---|---|---|---|---|---|'
  const lines = rows.map((row) =>
    [code(row.path), row.expected, row.unit, row.fallback, row.about, row.raise, row.lower]
      .map((cell) => ` ${(cell || '–').replaceAll('|', '\\|')} `)
      .join('|'),
  )
  return [header, ...lines.map((line) => `|${line}|`)].join('\n')
}

function code(text: string): string {
  return `\`${text}\``
}
