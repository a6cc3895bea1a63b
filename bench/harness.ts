/**
 * Runs rows of contenders against each other. Every measurement is a fresh child process, so that no contender pays
 * for another's garbage or profits from its warm code; repeats are interleaved, and ratios are taken within a repeat
 * before their median, so that a slow minute of the machine hits all sides alike. Called by `main.ts`.
 */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** One side of a comparison, as the child process runs it. */
export interface Contender {
  /** Works off `n` units; this is timed. */
  run(n: number): Promise<void>
  /** Before each run, not timed. */
  prepare?(n: number): Promise<void> | void
  /** After the measured run, not timed: further figures, shown beside the row. */
  inspect?(): Promise<Readonly<Record<string, number>>>
  /** Called once at the end, also after a failure. */
  finish?(): Promise<void> | void
  /** A fixed amount of work; without it the amount is chosen so that the measured run takes about `seconds`. */
  readonly fixed?: number
  /** Units of the warm-up run. */
  readonly warm: number
  readonly seconds?: number
  /** Where it takes turns with another one: how many, and how long each; default many short ones. */
  readonly turns?: { readonly count: number; readonly seconds: number }
  /** The most units of one run. */
  readonly most?: number
}

export interface Row {
  readonly name: string
  /** Of the values; higher is better. */
  readonly unit: string
  /** The key of Headgate's side in the bench's contenders. */
  readonly headgate: string
  /** Label of each peer, and its key in the contenders. */
  readonly peers: Readonly<Record<string, string>>
  /** The least ratio Headgate ÷ peer, by label. A peer without a goal is shown for comparison. */
  readonly goals: Readonly<Record<string, number>>
  /** The label of the peer that takes turns with Headgate in one process: for a difference smaller than that between two. */
  readonly inTurns?: string
}

export interface Bench {
  readonly name: string
  readonly rows: readonly Row[]
  /** Loads a side, in the child process. Throws `Missing` when what it needs is not on this machine. */
  contender(key: string): Promise<Contender>
}

/** What a contender needs is not here; the peer is then skipped, by name and with this reason. */
export class Missing extends Error {
  override readonly name = 'Missing'
}

export interface Result {
  readonly name: string
  readonly unit: string
  readonly headgate: number | null
  readonly peers: Readonly<Record<string, number>>
  readonly ratio: Readonly<Record<string, number>>
  readonly goal: Readonly<Record<string, number>>
  /** Less is better: a goal is then the most that the ratio may be. */
  readonly lower?: boolean
  /** True when every goal was measured and met; null when a goal's peer was skipped and no other goal was missed. */
  readonly holds: boolean | null
  readonly skipped: Readonly<Record<string, string>>
  readonly notes: Readonly<Record<string, number>>
}

export type ChildReply =
  | {
      readonly kind: 'measured'
      readonly value: number
      readonly notes: Readonly<Record<string, number>>
      /** Of the side that it took turns with: its value, and the median of ours ÷ theirs over the turns, two of each side together. */
      readonly other?: { readonly value: number; readonly ratio: number }
    }
  | { readonly kind: 'missing'; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string }

const CHILD = fileURLToPath(new URL('./child.ts', import.meta.url))
const CHILD_LIMIT_MS = 6 * 60_000

export function measureInChild(bench: string, ...contenders: readonly string[]): Promise<ChildReply> {
  return new Promise((resolve) => {
    const child = fork(CHILD, [bench, ...contenders], { execArgv: [...process.execArgv, '--expose-gc'] })
    const limit = setTimeout(() => {
      child.kill('SIGKILL')
      resolve({ kind: 'failed', reason: `took longer than ${CHILD_LIMIT_MS / 60_000} minutes` })
    }, CHILD_LIMIT_MS)
    child.once('message', (reply) => resolve(reply as ChildReply))
    child.once('exit', (code, signal) => {
      clearTimeout(limit)
      resolve({ kind: 'failed', reason: `ended with ${signal ?? code} before it answered` })
    })
  })
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2
}

/** Measures one row; `say` hears about every single measurement. */
export async function measureRow(
  bench: string,
  row: Row,
  repeats: number,
  say: (text: string) => void,
): Promise<Result> {
  const sides = new Map([['headgate', row.headgate], ...Object.entries(row.peers)])
  const values = new Map<string, number[]>([...sides.keys()].map((label) => [label, []]))
  const ratios = new Map<string, number[]>(Object.keys(row.peers).map((label) => [label, []]))
  const skipped: Record<string, string> = {}
  const notes: Record<string, number> = {}

  for (let repeat = 0; repeat < repeats; repeat += 1) {
    const now = new Map<string, number>()
    const labels = [...sides.keys()].filter((label) => label !== row.inTurns)
    // Each repeat starts with another side, so that none always runs on the coolest machine.
    for (let turn = 0; turn < labels.length; turn += 1) {
      const label = labels[(turn + repeat) % labels.length] as string
      if (label in skipped) continue
      const together = label === 'headgate' && row.inTurns ? [label, row.inTurns] : [label]
      const reply = await measureInChild(bench, ...together.map((each) => sides.get(each) as string))
      if (reply.kind !== 'measured') {
        skipped[label] = `${reply.kind}: ${reply.reason}`
        say(`${row.name}: ${label} skipped, ${skipped[label]}`)
        continue
      }
      now.set(label, reply.value)
      values.get(label)?.push(reply.value)
      if (reply.other) {
        values.get(row.inTurns as string)?.push(reply.other.value)
        ratios.get(row.inTurns as string)?.push(reply.other.ratio)
      }
      for (const [name, value] of Object.entries(reply.notes)) notes[`${label}: ${name}`] = value
      say(`${row.name}: repeat ${repeat + 1}, ${label} ${formatValue(reply.value)} ${row.unit}`)
    }
    const ours = now.get('headgate')
    for (const [label, list] of ratios) {
      const theirs = now.get(label)
      if (ours !== undefined && theirs !== undefined) list.push(ours / theirs)
    }
  }

  const medians = (lists: ReadonlyMap<string, readonly number[]>): Record<string, number> =>
    Object.fromEntries([...lists].filter(([, list]) => list.length > 0).map(([label, list]) => [label, median(list)]))
  const { headgate = null, ...peers } = medians(values) as Record<string, number> & { headgate?: number }
  const ratio = medians(ratios)
  const holds = verdict(row.goals, ratio)
  return { name: row.name, unit: row.unit, headgate, peers, ratio, goal: row.goals, holds, skipped, notes }
}

/** Computed from what was measured, never from what was expected. */
export function verdict(
  goals: Readonly<Record<string, number>>,
  ratio: Readonly<Record<string, number>>,
  lower = false,
): boolean | null {
  const outcomes = Object.entries(goals).map(([label, goal]) => {
    const measured = ratio[label]
    return measured === undefined ? null : lower ? measured <= goal : measured >= goal
  })
  if (outcomes.includes(false)) return false
  return outcomes.includes(null) || outcomes.length === 0 ? null : true
}

/** Three digits that matter, with k and M. */
export function formatValue(value: number): string {
  const [scaled, suffix] =
    value >= 1e6 ? [value / 1e6, 'M'] : value >= 1e4 ? [value / 1e3, 'k'] : ([value, ''] as const)
  return `${scaled >= 100 ? Math.round(scaled) : Number(scaled.toPrecision(3))}${suffix}`
}
