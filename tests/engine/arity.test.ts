import { runInThisContext } from 'node:vm'
import { expect, test } from 'vitest'
import { canSeeSecondArgument } from '../../src/engine/arity.ts'

const SOURCES: readonly [text: string, sees: boolean][] = [
  ['(value) => value', false],
  ['value => value', false],
  ['async (value) => value', false],
  ['async value => value', false],
  ['async(value) => value', false],
  ['(value, record) => record', true],
  ['(...args) => args[1]', true],
  ['(value = 1) => value', true],
  ['({ id }) => id', true],
  ['() => 1', true],
  ['async () => 1', true],
  ['function (value) { return arguments[1] }', true],
  ['async function (value) { return arguments[1] }', true],
]

test.each(SOURCES)('%s: whether it could tell is %s', (text, sees) => {
  // From text, so that no transform of this file can rewrite it.
  expect(canSeeSecondArgument(runInThisContext(`(${text})`))).toBe(sees)
})
