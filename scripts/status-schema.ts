/**
 * Writes `schema/status.schema.json` and `schema/diagnosis.schema.json`. Run after a change of either shape, with
 * `npx tsx scripts/status-schema.ts`; a test fails while a committed file differs.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { diagnosisJsonSchema } from '../src/runtime/diagnosis-schema.ts'
import { statusJsonSchema } from '../src/runtime/status-schema.ts'

const folder = new URL('../schema/', import.meta.url)
mkdirSync(fileURLToPath(folder), { recursive: true })
for (const [name, schema] of [
  ['status', statusJsonSchema()],
  ['diagnosis', diagnosisJsonSchema()],
] as const) {
  writeFileSync(fileURLToPath(new URL(`${name}.schema.json`, folder)), `${JSON.stringify(schema, null, 2)}\n`)
}
