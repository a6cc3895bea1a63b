/**
 * The rules of the source tree as plain tables: which room stands on which floor, which rooms are pure, who may ask
 * the time, and which words are not used. `inspect.ts` applies them. To allow an exception, add a line with its
 * reason to the table it belongs to; a line for a file that no longer exists fails the guard as well.
 */

/** Floors, low to high. A room may import from lower floors and from itself, never from its own floor's neighbours. */
export const FLOORS: readonly (readonly string[])[] = [
  ['model'],
  ['control'],
  ['engine'],
  ['diagnose'],
  ['conformance', 'connectors'],
  ['runtime'],
  ['telemetry'],
  ['console', 'sim'],
  ['builder', 'limit'],
  ['index.ts'],
  ['cli'],
]

/** Rooms that may see less than all lower floors: they know the contract and nothing else. */
export const ONLY: Readonly<Record<string, readonly string[]>> = {
  connectors: ['model'],
  conformance: ['model'],
}

/** In these rooms every folder is a house of its own: no folder may import from another. */
export const DIVIDED: ReadonlySet<string> = new Set(['connectors'])

/** No clock, no timer, no promise, no randomness, no I/O: the same inputs always give the same outputs. */
export const PURE: ReadonlySet<string> = new Set(['model', 'control', 'engine', 'diagnose', 'sim'])

/** Rooms at the edge to the real world, which may ask the time and set timers. */
export const MAY_USE_CLOCKS: ReadonlySet<string> = new Set([
  'runtime',
  'connectors',
  'conformance',
  'console',
  'limit',
  'cli',
])

/** Single files elsewhere that may use clocks and timers, each with its reason. */
export const CLOCK_EXCEPTIONS: Readonly<Record<string, string>> = {
  'telemetry/traced.ts': 'bounds the spans of a second; asked only where a span is about to begin',
  'builder/expect-ok.ts': "runs inside a user's handler, where a Retry-After that is a date is compared with the clock",
}

/** Files that may use randomness, each with its reason. Nobody else may. */
export const RANDOMNESS_EXCEPTIONS: Readonly<Record<string, string>> = {
  'console/server/credentials.ts': 'a token that can be guessed is none',
  'runtime/world.ts': 'the one real source of randomness, handed to everything below as a seed',
  'connectors/kafka/group/kip848.ts': 'a member of a KIP-848 group makes up its own id, which must be unique',
}

export const MAX_LINES = 400

/** Words that name nothing. `Error.message` and properties called `message` are fine: only exports and files count. */
export const UNUSED_WORDS: ReadonlySet<string> = new Set([
  'message', 'messages', 'job', 'jobs', 'util', 'utils', 'utility', 'utilities', 'common',
  'manager', 'managers', 'helper', 'helpers',
]) // biome-ignore format: a list reads better in rows

interface Ban {
  readonly what: string
  readonly pattern: RegExp
}

const TIMERS: Ban = { what: 'a timer', pattern: /\b(?:setTimeout|setInterval|setImmediate)\b/g }
const CLOCK: Ban = {
  what: 'a clock',
  pattern:
    /\bDate\s*\.\s*now\b|\bnew\s+Date\s*(?:\(\s*\)|(?![\s\w(]))|(?<![\w$.])Date\s*\(|(?<![\w$.])performance\b|\bhrtime\b/g,
}
const RANDOMNESS: Ban = {
  what: 'randomness',
  pattern: /\bMath\s*\.\s*random\b|\brandom(?:UUID|Bytes|Int|Fill|FillSync)\b|\bgetRandomValues\b/g,
}

export const CLOCK_BANS: readonly Ban[] = [TIMERS, CLOCK]
export const RANDOMNESS_BANS: readonly Ban[] = [RANDOMNESS]

/** Modules that are another way to the clock. */
export const CLOCK_MODULES: ReadonlySet<string> = new Set(['node:timers', 'node:timers/promises', 'node:perf_hooks'])

/** What a pure room does without. `Promise<…>` as a type is allowed: contracts have to name it. */
export const PURE_BANS: readonly Ban[] = [
  TIMERS,
  CLOCK,
  RANDOMNESS,
  { what: 'a timer', pattern: /\bqueueMicrotask\b|\bnextTick\b/g },
  { what: 'a date (its text depends on where it runs)', pattern: /\bnew\s+Date\b/g },
  {
    what: 'text for a locale (its tables are megabytes; formatNumber does without them)',
    pattern: /\btoLocaleString\b/g,
  },
  { what: 'async', pattern: /(?<![\w$.])async\b(?!\s*[:?,})=.])/g },
  { what: 'await', pattern: /(?<![\w$.])await\b(?!\s*[:?,})=.])/g },
  { what: 'a lazy import', pattern: /\bimport\s*\(/g },
  { what: 'a promise', pattern: /\bnew\s+Promise\b|(?<![\w$.])Promise\s*\.|\.\s*(?:then|finally)\s*\(/g },
  { what: 'the process', pattern: /(?<![\w$.])process\s*\??\.?\s*[.[]/g },
  { what: 'crypto', pattern: /(?<![\w$.])crypto\s*\??\./g },
  { what: 'fetch', pattern: /(?<![\w$.])fetch\s*\(/g },
  { what: 'the global object', pattern: /(?<![\w$.])globalThis\b/g },
]
