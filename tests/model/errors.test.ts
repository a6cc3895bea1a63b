/** What is made of whatever a handler or a connector throws: the code that says how the runtime reacts, and one line. */
import { expect, describe as group, test } from 'vitest'
import { classify, describe, HeadgateError, overloaded, reject } from '../../src/model/errors.ts'

const withCode = (code: string): Error => Object.assign(new Error('socket'), { code })

group('what is thrown is classified', () => {
  test.each([
    ['an error of Headgate', reject('no'), 'HG_RECORD_REJECTED'],
    ['one that another error wraps', new Error('outer', { cause: overloaded('busy') }), 'HG_OVERLOADED'],
    ['a refused connection', withCode('ECONNREFUSED'), 'HG_CONNECTION_LOST'],
    [
      'what fetch throws for one',
      new TypeError('fetch failed', { cause: withCode('ECONNRESET') }),
      'HG_CONNECTION_LOST',
    ],
    ['a time-out', new DOMException('late', 'TimeoutError'), 'HG_TIMEOUT'],
    ['any other error', new RangeError('x'), 'HG_HANDLER_FAILED'],
    ['a text', 'no', 'HG_HANDLER_FAILED'],
    ['nothing', undefined, 'HG_HANDLER_FAILED'],
  ])('%s', (_, thrown, code) => {
    expect(classify(thrown).code).toBe(code)
  })
})

group('one line for', () => {
  test.each([
    ['a text', 'no such account', 'no such account'],
    ['undefined', undefined, 'undefined was thrown, which is no Error'],
    ['null', null, 'null was thrown, which is no Error'],
    ['a number', 404, '404 was thrown, which is no Error'],
    ['an empty text', '', '"" was thrown, which is no Error'],
    ['an object', { status: 404 }, '{"status":404} was thrown, which is no Error'],
    ['an error without a message', new TypeError(''), 'TypeError'],
    ['an error and its cause', new Error('fetch failed', { cause: new Error('refused') }), 'fetch failed (refused)'],
    [
      'a cause that is quoted already',
      new Error('not open: refused', { cause: new Error('refused') }),
      'not open: refused',
    ],
  ])('%s', (_, thrown, line) => {
    expect(describe(thrown)).toBe(line)
  })

  test('a long one is bounded', () => {
    expect(describe({ text: 'x'.repeat(100_000) }).length).toBeLessThan(1000)
    expect(describe(new Error('x'.repeat(100_000))).length).toBeLessThan(1000)
  })
})

const circular: Record<string, unknown> = {}
circular['self'] = circular

test.each<[string, unknown]>([
  ['a circle', circular],
  ['a bigint inside', { n: 1n }],
  ['no prototype', Object.create(null)],
  ['a getter that throws', Object.defineProperty({}, 'code', { enumerable: true, get: () => assert() })],
  ['an error with such a getter', Object.defineProperty(new Error('x'), 'code', { get: () => assert() })],
  ['a message that is none', Object.assign(new Error('x'), { message: { a: 1 } })],
  [
    'a proxy that throws',
    new Proxy({}, { getPrototypeOf: () => assert(), get: () => assert(), ownKeys: () => assert() }),
  ],
  ['a symbol', Symbol('s')],
])('a hostile value never makes it throw: %s', (_, thrown) => {
  const error = classify(thrown)
  expect(error).toBeInstanceOf(HeadgateError)
  expect(error.code).toBe('HG_HANDLER_FAILED')
  expect(typeof error.message).toBe('string')
  expect(error.message).not.toBe('')
})

function assert(): never {
  throw new Error('looked at')
}
