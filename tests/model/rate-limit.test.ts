import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MAX_RESET_MS, type RateLimitFigures, rateLimitOf } from '../../src/model/rate-limit.ts'
import { runs } from '../fixtures/long.ts'

const NOW = Date.UTC(2026, 0, 5, 12, 0, 0)
const NOW_SECONDS = NOW / 1000

describe('rateLimitOf', () => {
  it.each<[string, Record<string, string>, RateLimitFigures | null]>([
    ['nothing', {}, null],
    ['other headers', { 'content-type': 'text/plain', 'retry-after': '1' }, null],
    // the draft: a list of policies
    ['r and t', { ratelimit: '"default";r=50;t=30' }, { remaining: 50, resetMs: 30_000 }],
    [
      'the policy of that name',
      { ratelimit: '"default";r=50;t=30', 'ratelimit-policy': '"burst";q=9;w=1,"default";q=100;w=60' },
      { limit: 100, remaining: 50, resetMs: 30_000 },
    ],
    ['spaces and unquoted names', { ratelimit: ' default ; r=1 ; t=2 ' }, { remaining: 1, resetMs: 2000 }],
    ['a name with separators in it', { ratelimit: '"a;r=9,\\"b";r=1;t=2' }, { remaining: 1, resetMs: 2000 }],
    ['no t', { ratelimit: '"default";r=3' }, { remaining: 3 }],
    ['the tighter of two', { ratelimit: '"burst";r=9;t=1, "daily";r=9;t=50' }, { remaining: 9, resetMs: 50_000 }],
    ['the one used up', { ratelimit: '"daily";r=1000;t=9000, "burst";r=0;t=1' }, { remaining: 0, resetMs: 1000 }],
    [
      'of two used up, the longer',
      { ratelimit: '"burst";r=0;t=1, "minute";r=0;t=40' },
      { remaining: 0, resetMs: 40_000 },
    ],
    [
      'no quota of bytes',
      { ratelimit: '"bytes";r=0;t=9, "calls";r=4;t=2', 'ratelimit-policy': '"bytes";q=1;qu="content-bytes"' },
      { remaining: 4, resetMs: 2000 },
    ],
    // the draft before
    ['a dictionary', { ratelimit: 'limit=100, remaining=50, reset=5' }, { limit: 100, remaining: 50, resetMs: 5000 }],
    // the drafts before that
    [
      'three headers',
      { 'ratelimit-limit': '100', 'ratelimit-remaining': '50', 'ratelimit-reset': '5' },
      { limit: 100, remaining: 50, resetMs: 5000 },
    ],
    [
      'a limit with its policies',
      { 'ratelimit-limit': '100, 100;w=60', 'ratelimit-remaining': '7', 'ratelimit-reset': '5' },
      { limit: 100, remaining: 7, resetMs: 5000 },
    ],
    [
      'the standard before its forerunner',
      { ratelimit: '"d";r=1;t=1', 'x-ratelimit-remaining': '9' },
      { remaining: 1, resetMs: 1000 },
    ],
    // X-RateLimit
    ['seconds', { 'x-ratelimit-remaining': '5', 'x-ratelimit-reset': '30' }, { remaining: 5, resetMs: 30_000 }],
    ['fractions', { 'x-ratelimit-remaining': '5', 'x-ratelimit-reset': '0.25' }, { remaining: 5, resetMs: 250 }],
    [
      'a date in seconds',
      { 'x-ratelimit-remaining': '5', 'x-ratelimit-reset': String(NOW_SECONDS + 30) },
      { remaining: 5, resetMs: 30_000 },
    ],
    [
      'a date in milliseconds',
      { 'x-ratelimit-remaining': '5', 'x-ratelimit-reset': String(NOW + 1500) },
      { remaining: 5, resetMs: 1500 },
    ],
    [
      'a date in the past',
      { 'x-ratelimit-remaining': '5', 'x-ratelimit-reset': String(NOW_SECONDS - 30) },
      { remaining: 5, resetMs: 0 },
    ],
    [
      'seconds from now before a date',
      { 'x-ratelimit-remaining': '5', 'x-ratelimit-reset': '1', 'x-ratelimit-reset-after': '2.5' },
      { remaining: 5, resetMs: 2500 },
    ],
    [
      'a count of requests among others',
      {
        'x-ratelimit-remaining-requests': '5',
        'x-ratelimit-reset-requests': '1m30s',
        'x-ratelimit-remaining-tokens': '0',
      },
      { remaining: 5, resetMs: 90_000 },
    ],
    // nonsense
    ['a negative count', { 'x-ratelimit-remaining': '-1', 'x-ratelimit-reset': '5' }, null],
    ['words', { 'x-ratelimit-remaining': 'many', 'x-ratelimit-limit': 'none' }, null],
    ['1e18', { 'x-ratelimit-remaining': '1e18' }, null],
    [
      'ten to the 18',
      { 'x-ratelimit-remaining': `1${'0'.repeat(18)}`, 'x-ratelimit-reset': '1' },
      { remaining: 1e9, resetMs: 1000 },
    ],
    ['a reset in a year', { ratelimit: `"d";r=1;t=${365 * 86_400}` }, { remaining: 1, resetMs: MAX_RESET_MS }],
    [
      'a reset at no time',
      { 'x-ratelimit-remaining': '5', 'x-ratelimit-reset': '9'.repeat(20) },
      { remaining: 5, resetMs: MAX_RESET_MS },
    ],
    ['a negative reset', { 'x-ratelimit-remaining': '5', 'x-ratelimit-reset': '-5' }, { remaining: 5 }],
    ['a name alone', { ratelimit: '"default"' }, null],
    ['an empty text', { ratelimit: '' }, null],
    ['a text that is too long', { ratelimit: `"${'d'.repeat(5000)}";r=50;t=30` }, null],
  ])('reads %s', (_, headers, expected) => {
    expect(rateLimitOf(new Headers(headers), NOW)).toEqual(expected)
    expect(rateLimitOf(headers, NOW)).toEqual(expected)
  })

  it.each<[string, unknown]>([
    ['Headers', new Headers({ RateLimit: '"d";r=1;t=2' })],
    ['an object, whatever the case', { RateLimit: '"d";r=1;t=2' }],
    ['a Map', new Map([['RateLimit', '"d";r=1;t=2']])],
    ['a list of pairs', [['RateLimit', '"d";r=1;t=2']]],
    ['names and values in turn', ['X', 'y', 'RateLimit', '"d";r=1;t=2']],
    ['bytes in turn', ['X', 'y', 'RateLimit', '"d";r=1;t=2'].map((text) => Buffer.from(text))],
    ['several values of a name', { ratelimit: ['"d";r=1;t=2', '"e";r=9;t=2'] }],
  ])('reads %s', (_, headers) => {
    expect(rateLimitOf(headers, NOW)).toEqual({ remaining: 1, resetMs: 2000 })
  })

  it.each<[string, unknown]>([
    ['null', null],
    ['a text', 'ratelimit: 1'],
    ['a number', 5],
    ['an object that throws', { get: () => { throw new Error('no') } }],
    ['a getter that throws', { get ratelimit() { throw new Error('no') } }],
    ['a revoked proxy', (() => { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return proxy })()],
    ['an odd list', ['ratelimit']],
  ])('finds nothing in %s', (_, headers) => {
    expect(rateLimitOf(headers, NOW)).toBeNull()
  }) // biome-ignore format: values that misbehave, one a line

  it('gives figures that are bounded, whatever comes', () => {
    const text = fc.oneof(
      fc.string(),
      fc.stringMatching(/^["a-z;,= \d.-]*$/),
      fc.double().map(String),
      fc.bigInt().map(String),
    )
    const headers = fc.dictionary(
      fc.constantFrom(
        'ratelimit',
        'ratelimit-policy',
        'x-ratelimit-limit',
        'x-ratelimit-remaining',
        'x-ratelimit-reset',
      ),
      text,
    )
    fc.assert(
      fc.property(headers, fc.double(), (given, nowMs) => {
        const { limit = 0, remaining = 0, resetMs = 0 } = rateLimitOf(given, nowMs) ?? {}
        expect(limit >= 0 && limit <= 1e9 && remaining >= 0 && remaining <= 1e9).toBe(true)
        expect(resetMs >= 0 && resetMs <= MAX_RESET_MS).toBe(true)
      }),
      { numRuns: runs(2000) },
    )
  })
})
