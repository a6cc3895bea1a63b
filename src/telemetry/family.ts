/**
 * How a line of the table of figures is written: a family of series with its name, type, unit (in the name), labels, and how it
 * is read. `families.ts` gathers the table from the files that use these. Invariant: a figure that is not known is absent, never 0.
 */
import type { Latencies, LatencyCounts } from '../engine/histogram.ts'
import type { Diagnosis } from '../model/diagnosis.ts'
import type { Status } from '../model/status.ts'

export interface Figures {
  readonly status: Status
  readonly diagnosis: Diagnosis
  readonly latencies: Latencies
}

type Labels = Readonly<Record<string, string>>
export type Point = readonly [labels: Labels, value: number]
export type Distribution = readonly [labels: Labels, counts: LatencyCounts]

interface Named {
  readonly name: string
  /** Beside `pipeline`, which every series has. */
  readonly labels: readonly string[]
  readonly help: string
}

export type Family =
  | (Named & { readonly type: 'counter' | 'gauge'; read(figures: Figures): Iterable<Point> })
  | (Named & { readonly type: 'histogram'; read(figures: Figures): Iterable<Distribution> })

export type Read = (figures: Figures) => Iterable<Point>
export type Chosen = Read & { readonly label?: string }

export function counter(name: string, help: string, read: Read, labels: readonly string[] = []): Family {
  return { name, type: 'counter', help, labels, read }
}

export function gauge(name: string, help: string, read: Chosen, labels: readonly string[] = []): Family {
  return { name, type: 'gauge', help, labels: read.label === undefined ? labels : [read.label], read }
}

export function histogram(
  name: string,
  help: string,
  read: (figures: Figures) => Iterable<Distribution>,
  labels: readonly string[] = [],
): Family {
  return { name, type: 'histogram', help, labels, read }
}

/** One series for each word: 1 for the one that holds. */
export function oneOf(label: string, words: readonly string[], present: (figures: Figures) => string): Chosen {
  const read = (figures: Figures): Point[] => {
    const now = present(figures)
    return words.map((word) => [{ [label]: word }, word === now ? 1 : 0])
  }
  return Object.assign(read, { label })
}

export function one(value: number): Point[] {
  return [[{}, value]]
}

/** Nothing at all while a figure is not known: a zero would be a lie. */
export function known(value: number | null, labels: Labels = {}): Point[] {
  return value === null ? [] : [[labels, value]]
}

export function each(label: string, values: Readonly<Record<string, number>>, labels: Labels = {}): Point[] {
  return Object.entries(values).map(([word, value]) => [{ ...labels, [label]: word }, value])
}

export function seconds(ms: number | null): number | null {
  return ms === null ? null : ms / 1000
}
