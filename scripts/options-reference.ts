/** Writes `docs/options.md` from the option declarations: `npx tsx scripts/options-reference.ts`. A test compares the two. */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { optionsReference } from '../src/builder/options.ts'

writeFileSync(fileURLToPath(new URL('../docs/options.md', import.meta.url)), optionsReference())
