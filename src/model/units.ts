/** Units: bytes, milliseconds and counts as people read and write them. Used by messages, the CLI and the terminal view. */

export const KIB = 1024
export const MIB = 1024 * KIB

/** The longest delay a timer of Node.js takes; a longer one would fire at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1

/** `1536` → `1.5 KiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}

/** `190_000` → `3m10s`; `850` → `850 ms`; `Infinity` → `∞`. */
export function formatDuration(ms: number): string {
  if (!Number.isFinite(ms)) return '∞'
  if (ms < 1000) return `${ms < 10 && ms !== Math.round(ms) ? ms.toFixed(1) : Math.round(ms)} ms`
  const seconds = ms / 1000
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`
  const whole = Math.round(seconds)
  if (whole < 3600) return `${Math.floor(whole / 60)}m${String(whole % 60).padStart(2, '0')}s`
  return `${Math.floor(whole / 3600)}h${String(Math.floor((whole % 3600) / 60)).padStart(2, '0')}m`
}

/** What is written with all of its digits, six of them after the point at most. */
const PLAIN = /^(-?\d+)(\.\d{1,6})?$/

let grouped: Intl.NumberFormat | null = null

/**
 * `10000` → `10,000`; at most six digits after the point. Most numbers do without `Intl`, whose large tables
 * are loaded once they are touched.
 */
export function formatNumber(value: number): string {
  const [, whole, rest = ''] = PLAIN.exec(Object.is(value, -0) ? '' : String(value)) ?? []
  if (whole !== undefined) return whole.replace(/\B(?=(?:\d{3})+$)/g, ',') + rest
  grouped ??= new Intl.NumberFormat('en-US', { maximumFractionDigits: 6 })
  return grouped.format(value)
}

/** `(1, 'record')` → `1 record`; `(18204, 'record')` → `18,204 records`. */
export function formatCount(count: number, noun: string): string {
  return `${formatNumber(count)} ${count === 1 ? noun : `${noun}s`}`
}

const DURATION_UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `40s`, `1m30s`, `500ms`, `2h` → milliseconds; null when it is none of these. */
export function parseDuration(text: string): number | null {
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return null
  let total = 0
  for (const [, amount, , unit] of text.matchAll(/(\d+(\.\d+)?)(ms|s|m|h|d)/g)) {
    total += Number(amount) * (DURATION_UNITS_MS[unit as string] as number)
  }
  return total
}

const BYTE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kib: KIB,
  mib: MIB,
  gib: 1024 * MIB,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
}

/** `64MiB`, `10 KB`, `512` → bytes; null when it is none of these. */
export function parseBytes(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim())
  const factor = match && BYTE_UNITS[(match[2] as string).toLowerCase()]
  return match && factor ? Math.round(Number(match[1]) * factor) : null
}
