/**
 * Figures as the terminal view, the page and the plain log lines print them: short, of steady width, and never more precise
 * than the eye can use at four redraws a second. Pure functions over numbers; `–` stands for what is not known.
 */
import { formatBytes, formatDuration } from '../../model/units.ts'

export const UNKNOWN = '–'

const GROUPED = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })

/** `18204` → `18,204`; from ten million on `12.3M`. */
export function count(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return UNKNOWN
  if (value >= 1e12) return `${(value / 1e12).toFixed(1)}T`
  if (value >= 1e9) return `${(value / 1e9).toFixed(1)}G`
  if (value >= 1e7) return `${(value / 1e6).toFixed(1)}M`
  return GROUPED.format(value)
}

/** `333.2` → `333/s`; below ten one decimal is kept. */
export function rate(perSecond: number | null): string {
  if (perSecond === null || !Number.isFinite(perSecond)) return UNKNOWN
  return perSecond > 0 && perSecond < 9.95 ? `${perSecond.toFixed(1)}/s` : `${count(Math.round(perSecond))}/s`
}

/** `0.714` → `71%`; a share that is small but not nothing is `<1%`. */
export function percent(share: number): string {
  if (!Number.isFinite(share)) return UNKNOWN
  if (share > 0 && share < 0.005) return '<1%'
  return `${Math.round(share * 100)}%`
}

/** `1200` → `1.2s`, `190000` → `3m10s`: a duration without blanks, for narrow places. */
export function duration(ms: number | null): string {
  if (ms === null) return UNKNOWN
  const day = 86_400_000
  if (Number.isFinite(ms) && ms >= 2 * day) return ms >= 1000 * day ? '>999d' : `${Math.round(ms / day)}d`
  return formatDuration(Math.max(0, ms)).replace(' ', '')
}

export function bytes(value: number): string {
  return formatBytes(value)
}

const BY_UNIT: Readonly<Record<string, (value: number) => string>> = {
  share: percent,
  ms: duration,
  s: (seconds) => duration(seconds * 1000),
  '/s': rate,
  bytes,
  records: count,
  '×': (value) => `${value.toFixed(2)}×`,
}

/** A figure of a diagnosis in its unit; three digits where the unit is none of the known ones. */
export function inUnit(value: number, unit: string): string {
  if (!Number.isFinite(value)) return UNKNOWN
  const print = BY_UNIT[unit]
  if (print) return print(value)
  const figure = Math.abs(value) >= 1000 ? count(value) : String(Number(value.toPrecision(3)))
  return unit === '' ? figure : `${figure} ${unit}`
}

/** `32 → 64`, or nothing where a knob is turned by no number. */
export function change(from: number | null, to: number | null): string {
  if (from === null || to === null) return ''
  return `${inUnit(from, '')} → ${inUnit(to, '')}`
}

/** `1.02` tries a record; `–` before the first. */
export function ratio(part: number, whole: number): string {
  return whole > 0 ? (part / whole).toFixed(2) : UNKNOWN
}
