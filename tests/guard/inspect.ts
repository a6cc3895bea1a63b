/**
 * The direction guard: takes the source tree as paths and texts and returns every broken rule with its file and line.
 * Pure, so that its own tests can hand it small trees; `tests/guard.test.ts` hands it the real one. The rules
 * themselves are the tables of `rules.ts`.
 */
import { posix } from 'node:path'
import {
  CLOCK_BANS,
  CLOCK_EXCEPTIONS,
  CLOCK_MODULES,
  DIVIDED,
  FLOORS,
  MAX_LINES,
  MAY_USE_CLOCKS,
  ONLY,
  PURE,
  PURE_BANS,
  RANDOMNESS_BANS,
  RANDOMNESS_EXCEPTIONS,
  UNUSED_WORDS,
} from './rules.ts'
import { blank, exportsOf, type ImportSite, importsOf, lineOf } from './source-text.ts'

export interface SourceFile {
  /** Relative to the source folder, with forward slashes. */
  readonly path: string
  readonly text: string
}

export type Rule = 'floor' | 'circle' | 'unresolved' | 'room' | 'lines' | 'pure' | 'clock' | 'randomness' | 'word'

export interface Violation {
  readonly rule: Rule
  readonly path: string
  readonly line: number
  readonly detail: string
}

const FLOOR_OF = new Map(FLOORS.flatMap((rooms, floor) => rooms.map((room) => [room, floor] as const)))

/** `engine/ring.ts` → `engine`; a file at the top is a room of its own. */
export function roomOf(path: string): string {
  return path.split('/')[0] as string
}

export function inspect(files: readonly SourceFile[]): Violation[] {
  const known = new Set(files.map((file) => file.path))
  const edges = new Map<string, Set<string>>()
  const violations: Violation[] = []

  for (const file of files) {
    const code = blank(file.text)
    const imports = importsOf(file.text, code)
    const report = (rule: Rule, line: number, detail: string): void => {
      violations.push({ rule, path: file.path, line, detail })
    }
    const targets = new Set<string>()
    edges.set(file.path, targets)

    if (!FLOOR_OF.has(roomOf(file.path))) report('room', 1, `room '${roomOf(file.path)}' stands on no floor`)
    for (const site of imports) {
      if (!site.specifier.startsWith('.')) {
        checkOutside(file.path, site, report)
        continue
      }
      const target = posix.normalize(posix.join(posix.dirname(file.path), site.specifier))
      if (!known.has(target)) {
        report('unresolved', site.line, `imports '${site.specifier}', which is no file of the tree`)
        continue
      }
      targets.add(target)
      const wrong = directionFault(file.path, target)
      if (wrong) report('floor', site.line, wrong)
    }
    checkLines(file, report)
    checkWorld(file.path, code, report)
    checkWords(file.path, code, report)
  }

  for (const circle of circlesOf(edges)) {
    const path = circle[0] as string
    violations.push({ rule: 'circle', path, line: 1, detail: [...circle, path].join(' → ') })
  }
  return violations
}

type Report = (rule: Rule, line: number, detail: string) => void

/** Why `from` may not import `to`, or null when it may. */
function directionFault(from: string, to: string): string | null {
  const room = roomOf(from)
  const other = roomOf(to)
  if (room === other) {
    if (!DIVIDED.has(room)) return null
    const house = from.split('/')[1]
    const otherHouse = to.split('/')[1]
    return house === otherHouse ? null : `${room}/${house} imports from its neighbour ${to}`
  }
  const only = ONLY[room]
  if (only && !only.includes(other)) return `${room} may import from ${only.join(', ')} only, not from ${to}`
  const floor = FLOOR_OF.get(room) ?? Number.POSITIVE_INFINITY
  const otherFloor = FLOOR_OF.get(other) ?? Number.POSITIVE_INFINITY
  return otherFloor < floor ? null : `${room} imports from ${to}, which is not on a lower floor`
}

function checkOutside(path: string, site: ImportSite, report: Report): void {
  const room = roomOf(path)
  if (/^headgate(\/|$)/.test(site.specifier)) {
    report('floor', site.line, `imports the package itself ('${site.specifier}'); use a relative path`)
  }
  if (site.typeOnly) return
  if (PURE.has(room)) {
    report('pure', site.line, `imports '${site.specifier}' (a pure room imports types only from outside)`)
  } else if (CLOCK_MODULES.has(site.specifier) && !mayUseClocks(path)) {
    report('clock', site.line, `imports '${site.specifier}'`)
  }
}

function checkLines(file: SourceFile, report: Report): void {
  const lines = file.text.split('\n').length - (file.text.endsWith('\n') ? 1 : 0)
  if (lines > MAX_LINES) report('lines', lines, `${lines} lines, at most ${MAX_LINES}`)
}

function mayUseClocks(path: string): boolean {
  return MAY_USE_CLOCKS.has(roomOf(path)) || path in CLOCK_EXCEPTIONS
}

/** Time, timers, randomness and asynchrony, taken only where they may be. */
function checkWorld(path: string, code: string, report: Report): void {
  const apply = (rule: Rule, bans: typeof PURE_BANS): void => {
    for (const ban of bans) {
      for (const match of code.matchAll(ban.pattern)) {
        report(rule, lineOf(code, match.index), `uses ${ban.what}: ${match[0].trim()}`)
      }
    }
  }
  if (PURE.has(roomOf(path))) {
    apply('pure', PURE_BANS)
    return
  }
  if (!mayUseClocks(path)) apply('clock', CLOCK_BANS)
  if (!(path in RANDOMNESS_EXCEPTIONS)) apply('randomness', RANDOMNESS_BANS)
}

/** `retryHelper`, `retry-helper` and `RETRY_HELPER` are all `retry` and `helper`. */
export function wordsOf(name: string): string[] {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1 $2')
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== '')
    .map((word) => word.toLowerCase())
}

function checkWords(path: string, code: string, report: Report): void {
  for (const word of wordsOf(path)) {
    if (UNUSED_WORDS.has(word)) report('word', 1, `the path has '${word}' in it`)
  }
  for (const { name, line } of exportsOf(code)) {
    for (const word of wordsOf(name)) {
      if (UNUSED_WORDS.has(word)) report('word', line, `exports '${name}', which has '${word}' in it`)
    }
  }
}

/** One circle for each group of files that import each other (Tarjan's strongly connected components). */
export function circlesOf(edges: ReadonlyMap<string, ReadonlySet<string>>): string[][] {
  const order = new Map<string, number>()
  const low = new Map<string, number>()
  const stack: string[] = []
  const circles: string[][] = []

  const visit = (node: string): void => {
    order.set(node, order.size)
    low.set(node, order.get(node) as number)
    stack.push(node)
    for (const next of edges.get(node) ?? []) {
      if (!order.has(next)) visit(next)
      if (stack.includes(next)) low.set(node, Math.min(low.get(node) as number, low.get(next) as number))
    }
    if (low.get(node) !== order.get(node)) return
    const group = stack.splice(stack.indexOf(node))
    if (group.length > 1 || edges.get(node)?.has(node)) circles.push(group)
  }
  for (const node of edges.keys()) if (!order.has(node)) visit(node)
  return circles
}
