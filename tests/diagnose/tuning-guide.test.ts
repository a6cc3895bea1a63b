/** The tuning guide: it speaks of every cause that the doctor names, and each paragraph's planted case is one that runs. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { CAUSES } from '../../bench/doctor/causes.ts'
import { MISTAKES } from '../../examples/mistakes/mistakes.ts'
import { CAUSE_KINDS, type CauseKind } from '../../src/model/diagnosis.ts'

const GUIDE = readFileSync(new URL('../../docs/tuning.md', import.meta.url), 'utf8')
const PARAGRAPHS = [...GUIDE.matchAll(/\*\*`([a-z-]+)`\*\*(?: \(planted:\s\*([^*]+)\*\))?/g)].map(
  ([, kind, planted]) => ({
    kind: kind as string,
    planted,
  }),
)

test('every cause and every mistake has its paragraph, once', () => {
  const kinds = PARAGRAPHS.map(({ kind }) => kind).sort()
  const all = [...CAUSE_KINDS.filter((kind) => kind !== 'none'), ...Object.keys(MISTAKES)].sort()
  expect(kinds).toEqual(all)
})

test('every planted case that it names exists, and is one of that kind', () => {
  const named = PARAGRAPHS.filter(({ planted }) => planted !== undefined)
  for (const { kind, planted } of named)
    expect(CAUSES.find(({ name }) => name === planted)?.kinds, planted).toContain(kind as CauseKind)
  expect(new Set(named.map(({ planted }) => planted))).toEqual(new Set(CAUSES.map(({ name }) => name)))
})
