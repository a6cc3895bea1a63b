/** The tuning guide: it speaks of every cause that the doctor names, and each paragraph has a case that checks it and runs. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { CAUSES } from '../../bench/doctor/causes.ts'
import { MISTAKES } from '../../examples/mistakes/mistakes.ts'
import { CAUSE_KINDS, type CauseKind } from '../../src/model/diagnosis.ts'
import { GUIDE_CASES } from './guide-cases.ts'

const GUIDE = readFileSync(new URL('../../docs/tuning.md', import.meta.url), 'utf8')
const PARAGRAPHS = [...GUIDE.matchAll(/\*\*`([a-z-]+)`\*\*(?:\s\((planted|made):\s\*([^*]+)\*\))?/g)].map(
  ([, kind, how, name]) => ({
    kind: kind as string,
    planted: how === 'planted' ? name : undefined,
    made: how === 'made' ? name : undefined,
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

test('every case that it says is made is one that runs, and is one of that kind', () => {
  const made = PARAGRAPHS.filter(({ made }) => made !== undefined).map(({ kind, made }) => [made, kind])
  expect(Object.fromEntries(made)).toEqual(
    Object.fromEntries(Object.entries(GUIDE_CASES).map(([name, { kind }]) => [name, kind])),
  )
})

test('no paragraph is without a case that checks it', () => {
  const unchecked = PARAGRAPHS.filter(
    ({ kind, planted, made }) => planted === undefined && made === undefined && !(kind in MISTAKES),
  )
  expect(unchecked).toEqual([])
})
