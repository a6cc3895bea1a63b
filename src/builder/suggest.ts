/**
 * Guesses what was meant by an option that does not exist. Called only when a message is written. Invariant: a guess is made from the options of that place, and no guess is made when unsure.
 */
/** Units people put at the end of a name, longest first. */
const UNIT_SUFFIX =
  /(milliseconds|seconds|minutes|millis|records|bytes|second|minute|secs|mins|sec|min|kib|mib|ms|kb|mb|s)$/

/** Words from other libraries and what they are called here. */
const ELSEWHERE: Readonly<Record<string, readonly string[]>> = {
  linger: ['withinMs'],
  flush: ['withinMs'],
  flushinterval: ['withinMs'],
  maxwait: ['withinMs'],
  wait: ['withinMs'],
  size: ['records', 'bytes'],
  count: ['records'],
  parallelism: ['concurrency'],
  workers: ['concurrency'],
  prefetch: ['records'],
  ratelimit: ['rate'],
  rps: ['rate'],
  throttle: ['rate'],
  deadline: ['timeoutMs'],
  retries: ['retry', 'attempts'],
  maxretries: ['attempts', 'retry'],
  delay: ['baseMs'],
  initialdelay: ['baseMs'],
  maxdelay: ['maxMs'],
  multiplier: ['factor'],
  onerror: ['onFailure'],
  deadletter: ['onFailure'],
  dlq: ['onFailure'],
  buffer: ['queueRecords'],
  buffersize: ['queueRecords'],
  highwatermark: ['queueRecords'],
  ordering: ['order'],
  shutdowntimeout: ['drainMs'],
  gracefulshutdown: ['drainMs'],
}

const stem = (name: string): string => name.toLowerCase().replace(UNIT_SUFFIX, '')

/** The option out of `known` that `unknown` was probably meant to be, or null. */
export function suggestOption(unknown: string, known: readonly string[]): string | null {
  if (unknown.length > 60) return null
  const lower = unknown.toLowerCase()
  const sameLetters = known.find((name) => name.toLowerCase() === lower)
  if (sameLetters) return sameLetters
  const bare = stem(unknown)
  const sameStem = bare === '' ? undefined : known.find((name) => stem(name) === bare)
  if (sameStem) return sameStem
  for (const word of [lower, bare]) {
    const translated = Object.hasOwn(ELSEWHERE, word) ? ELSEWHERE[word] : undefined
    const match = translated?.find((name) => known.includes(name))
    if (match) return match
  }
  const contained = known.find((name) => stem(name).length >= 4 && bare.length >= 4 && overlaps(bare, stem(name)))
  if (contained) return contained
  return nearest(lower, known)
}

function overlaps(a: string, b: string): boolean {
  return a.includes(b) || b.includes(a)
}

function nearest(lower: string, known: readonly string[]): string | null {
  let best: string | null = null
  let bestDistance = Math.floor(lower.length / 3) + 1
  for (const name of known) {
    const distance = editDistance(lower, name.toLowerCase())
    if (distance < bestDistance) {
      best = name
      bestDistance = distance
    }
  }
  return best
}

/** Letters to insert, delete or replace (Levenshtein 1966). */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}
