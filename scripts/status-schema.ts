/**
 * Writes `schema/status.schema.json` from the status schema. Run after a change of the status, with
 * `npx tsx scripts/status-schema.ts`; a test fails while the committed file differs.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { statusJsonSchema } from '../src/runtime/status-schema.ts'

const file = fileURLToPath(new URL('../schema/status.schema.json', import.meta.url))
mkdirSync(fileURLToPath(new URL('../schema', import.meta.url)), { recursive: true })
writeFileSync(file, `${JSON.stringify(statusJsonSchema(), null, 2)}\n`)
