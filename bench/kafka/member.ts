/**
 * Members of a group as processes of their own, and the oracle over what they wrote: which record was completed how
 * often, in what order within its key, and how long a partition stood still. The kill and the rebalance use it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { DIST, SIDES_MAIN, sentenceOf } from './side.ts'
import type { Completion, SideSpec } from './sides/spec.ts'

const STOP_WITHIN_MS = 60_000

export type MemberSide = 'member' | 'member-by-hand'

export class Member {
  /** Records in flight, as it said last. */
  inFlight = 0
  readonly #process: ChildProcess
  readonly #ended: Promise<number | null>
  #errors = ''

  constructor(spec: Omit<SideSpec, 'side' | 'work' | 'dist'>, side: MemberSide = 'member') {
    const whole: SideSpec = { ...spec, side, work: 'member', dist: DIST }
    this.#process = spawn(process.execPath, [SIDES_MAIN, JSON.stringify(whole)], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#ended = new Promise((resolve) => this.#process.once('close', resolve))
    const child = this.#process
    process.once('exit', () => child.kill('SIGKILL'))
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-4_000)
    })
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      this.inFlight = (JSON.parse(line) as { inFlight: number }).inFlight
    })
  }

  /** Throws what it said when it ended without being asked to. */
  checkRunning(): void {
    const { exitCode, signalCode } = this.#process
    if (exitCode === null && signalCode === null) return
    throw new Error(`a member ended with ${signalCode ?? exitCode}: ${sentenceOf(this.#errors)}`)
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.#ended
  }

  /** Drains. */
  async stop(): Promise<void> {
    this.#process.kill('SIGTERM')
    const insist = setTimeout(() => this.#process.kill('SIGKILL'), STOP_WITHIN_MS)
    const code = await this.#ended
    clearTimeout(insist)
    if (code !== 0) throw new Error(`a member did not drain (${code}): ${sentenceOf(this.#errors)}`)
  }
}

/** What one or more members wrote so far; reads only what is new. A line is whole or not there yet. */
export class CompletionLog {
  readonly #file: string
  readonly #all: Completion[] = []
  #read = 0

  constructor(file: string) {
    this.#file = file
  }

  all(): readonly Completion[] {
    if (!existsSync(this.#file)) return this.#all
    const descriptor = openSync(this.#file, 'r')
    try {
      const bytes = Buffer.alloc(fstatSync(descriptor).size - this.#read)
      readSync(descriptor, bytes, 0, bytes.length, this.#read)
      const whole = bytes.lastIndexOf('\n') + 1
      this.#read += whole
      for (const line of bytes.toString('utf8', 0, whole).split('\n')) if (line !== '') this.#all.push(parsed(line))
    } finally {
      closeSync(descriptor)
    }
    return this.#all
  }
}

function parsed(line: string): Completion {
  const [partition, offset, key, startedMs, endedMs] = line.split(' ')
  return {
    ...{ partition: Number(partition), offset: Number(offset), key: key as string },
    ...{ startedMs: Number(startedMs), endedMs: Number(endedMs) },
  }
}

/** The first completion of each record, and how many there were beyond. */
export function firstOf(completions: readonly Completion[]): { first: Completion[]; again: number } {
  const seen = new Set<string>()
  const inTime = [...completions].sort((a, b) => a.endedMs - b.endedMs)
  const first = inTime.filter(({ partition, offset }) => {
    const name = `${partition}@${offset}`
    return seen.has(name) ? false : seen.add(name)
  })
  return { first, again: inTime.length - first.length }
}

/** Records that began before the record of their key ahead of them had ended. */
export function outOfOrder(first: readonly Completion[]): number {
  const before = new Map<string, Completion>()
  let count = 0
  for (const completion of [...first].sort((a, b) => a.offset - b.offset)) {
    const lane = `${completion.partition} ${completion.key}`
    if ((before.get(lane)?.endedMs ?? 0) > completion.startedMs) count += 1
    before.set(lane, completion)
  }
  return count
}

/** The longest time in which a partition that still had records completed none, milliseconds. */
export function longestPauseMs(first: readonly Completion[]): number {
  const last = new Map<number, number>()
  let longest = 0
  for (const { partition, endedMs } of [...first].sort((a, b) => a.endedMs - b.endedMs)) {
    longest = Math.max(longest, endedMs - (last.get(partition) ?? endedMs))
    last.set(partition, endedMs)
  }
  return longest
}
