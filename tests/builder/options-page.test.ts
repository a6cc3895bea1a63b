import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { optionsReference } from '../../src/builder/options.ts'

it('docs/options.md says what the options declare (npx tsx scripts/options-reference.ts writes it)', () => {
  const page = readFileSync(new URL('../../docs/options.md', import.meta.url), 'utf8')
  expect(page).toBe(optionsReference())
})
