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
  ['({ id }) => id', false],
  ['async ({ id, card: { number } }) => number', false],
  ['({ id = 1 }) => id', true],
  ['({ id }, record) => record', true],
  ['({id},{record})=>record', true],
  ['({ card: { number } }, { record: { key } }) => key', true],
  ['() => 1', true],
  ['async () => 1', true],
  ['function (value) { return value }', false],
  ['function decode(value) { return value }', false],
  ['async function decode({ id }) { return id }', false],
  ['({ decode(value) { return value } }).decode', false],
  ['function (value, record) { return record }', true],
  ['async function perform({id,number},{record,signal}){return record}', true],
  ['({ decode({ id }, { key }) { return key } }).decode', true],
  ['function () { return 1 }', true],
  ['function (value) { return arguments[1] }', true],
  [String.raw`function (value) { return \u0061rguments[1] }`, true],
  ["function (value) { return eval('arg' + 'uments')[1] }", true],
  ['JSON.parse', true],
  ['(function (value, record) { return record }).bind(null)', true],
  ['async function (value) { return arguments[1] }', true],
]

test.each(SOURCES)('%s: whether it could tell is %s', (text, sees) => {
  // From text, so that no transform of this file can rewrite it.
  expect(canSeeSecondArgument(runInThisContext(`(${text})`))).toBe(sees)
})
