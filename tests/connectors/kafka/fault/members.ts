/**
 * Members of the group as processes: started, killed, frozen and drained by tests, with all they said at hand. Invariant:
 * a line that a member has told before it died is not lost, and no member outlives its test.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach } from 'vitest'
import type { Event, MemberLine, MemberOptions } from './setup.ts'
import type { Evidence } from './timeline.ts'

const PROGRAM = fileURLToPath(new URL('./children/member.ts', import.meta.url))

const living = new Set<Member>()
afterEach(async () => {
  await Promise.all([...living].map((member) => member.kill()))
})

export type Told = Pick<Evidence, 'starts' | 'dones' | 'ends'>

export class Member {
  readonly #process: ChildProcess
  readonly #lines: MemberLine[] = []
  readonly #wakers = new Set<() => void>()
  readonly #ended: Promise<string>
  #errors = ''
  #taken = 0
  /** Results that it has told. */
  ended = 0
  /** Calls that it has told. */
  readonly called: Event[] = []
  #isOver = false
  /** A signal was sent that ends it. */
  #isEnding = false
  #how = ''

  constructor(options: MemberOptions) {
    this.#process = spawn(process.execPath, ['--import', 'tsx', PROGRAM, JSON.stringify(options)], {
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    living.add(this)
    const { stdout, stderr, stdin } = this.#process
    stdin!.on('error', () => {})
    stderr!.on('data', (data: Buffer) => {
      this.#errors += data.toString()
    })
    const reader = createInterface({ input: stdout! })
    reader.on('line', (line) => {
      const said = JSON.parse(line) as MemberLine
      this.#lines.push(said)
      if ('end' in said) this.ended += 1
      else if ('start' in said) this.called.push(said.start)
      for (const wake of this.#wakers) wake()
    })
    const closed = new Promise((resolve) => reader.once('close', resolve))
    this.#ended = new Promise<string>((resolve) => {
      this.#process.once('close', (code, signal) => resolve(signal ?? String(code)))
    }).then(async (how) => {
      await closed
      this.#isOver = true
      this.#how = how
      living.delete(this)
      for (const wake of this.#wakers) wake()
      return how
    })
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** What a member of `onDemand` waits for. */
  go(): void {
    this.#process.stdin!.write('go\n')
  }

  /** Resolves when `condition` holds for all that was said; rejects when the member ends before. */
  until(what: string, condition: (lines: readonly MemberLine[]) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (condition(this.#lines)) resolve()
        else if (this.#isOver) reject(new Error(`the member ended before ${what}: ${this.#errors}${this.#broken()}`))
        else return
        this.#wakers.delete(look)
      }
      this.#wakers.add(look)
      look()
    })
  }

  /** Resolves once it has started `calls` calls since it began. */
  atWork(calls = 1): Promise<void> {
    return this.until(`it made ${calls} calls`, () => this.called.length >= calls)
  }

  signal(signal: NodeJS.Signals): void {
    if (signal === 'SIGKILL' || signal === 'SIGTERM') this.#isEnding = true
    this.#process.kill(signal)
  }

  /** As kill -9 does; resolves when it is gone and all that it said is read. */
  async kill(): Promise<void> {
    this.signal('SIGCONT')
    this.signal('SIGKILL')
    await this.#ended
  }

  /** Lets it finish what it has begun. Rejects unless it ends well. */
  async drain(): Promise<void> {
    this.signal('SIGTERM')
    const how = await this.#ended
    if (how !== '0') throw new Error(`the member ended with ${how}: ${this.#errors}${this.#broken()}`)
  }

  /** All events that it told since the last time. Throws when it says that something is broken. */
  take(): Told {
    const lines = this.#lines.slice(this.#taken)
    this.#taken = this.#lines.length
    this.check()
    return {
      starts: lines.flatMap((line) => ('start' in line ? [line.start] : [])),
      dones: lines.flatMap((line) => ('done' in line ? [line.done] : [])),
      ends: lines.flatMap((line) => ('end' in line ? [line.end] : [])),
    }
  }

  /** Throws when it says that something is broken, and when it ended by itself. */
  check(): void {
    const broken = this.#broken()
    if (broken !== '') throw new Error(broken)
    if (this.#isOver && !this.#isEnding)
      throw new Error(`the member ended by itself with ${this.#how}: ${this.#errors}`)
  }

  /** Its log, a line each, with the number of its process. */
  log(): string[] {
    const logged = this.#lines.flatMap((line) => ('logged' in line ? [line.logged] : []))
    return logged.map(([atMs, level, text]) => `${new Date(atMs).toISOString()} ${this.#process.pid} ${level} ${text}`)
  }

  #broken(): string {
    const broken = this.#lines.flatMap((line) => ('broken' in line ? [line.broken] : []))
    return broken.length === 0 ? '' : `the member says: ${broken.join(', ')}`
  }
}

/** The events of all members together. */
export function takeAll(members: readonly Member[]): Told {
  const taken = members.map((member) => member.take())
  return {
    starts: taken.flatMap(({ starts }) => starts),
    dones: taken.flatMap(({ dones }) => dones),
    ends: taken.flatMap(({ ends }) => ends),
  }
}
