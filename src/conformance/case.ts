/**
 * What the suite consists of: cases that any test runner can run. `sourceConformance` and `sinkConformance` make them,
 * `registerConformance` hands them to a runner. A case is independent of all others: it makes its own world.
 */

export interface ConformanceCase {
  /** `S1` … `S16` for sources, `K1` … `K7` for sinks. */
  readonly rule: string
  /** The rule in words. */
  readonly title: string
  /** Why the case cannot apply: a capability that is not claimed or an ability that the harness lacks; else null. */
  readonly skip: string | null
  /** Rejects with a `ConformanceError` when the rule is broken, or with what the connector itself threw. */
  readonly run: () => Promise<void>
}

/** The connector broke a rule. */
export class ConformanceError extends Error {
  override readonly name = 'ConformanceError'
}

/** Throws a `ConformanceError` with `message` unless `condition` holds. */
export function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new ConformanceError(message)
}

type TestFunction = (name: string, run: () => Promise<void>) => unknown

/** The part of a test runner that is needed: vitest, jest and `node:test` all have it. */
export interface TestRunner {
  readonly test: TestFunction & { readonly skip: TestFunction }
}

/** Makes one test of each case. Cases that cannot apply are registered as skipped, with the reason in their name. */
export function registerConformance({ test }: TestRunner, cases: readonly ConformanceCase[]): void {
  for (const { rule, title, skip, run } of cases) {
    if (skip === null) test(`${rule} ${title}`, run)
    else test.skip(`${rule} ${title} (skipped: ${skip})`, run)
  }
}

/** Resolves after `ms` milliseconds. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Waits for `condition`, looking again every few milliseconds; breaks the rule after `patienceMs`. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  patienceMs: number,
  message: string,
): Promise<void> {
  const deadline = performance.now() + patienceMs
  while (!(await condition())) {
    check(performance.now() < deadline, message)
    await pause(5)
  }
}

/** Waits for `promise`; breaks the rule when it has not settled after `patienceMs`. */
export async function within<R>(promise: Promise<R>, patienceMs: number, message: string): Promise<R> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, fail) => {
    timer = setTimeout(() => fail(new ConformanceError(message)), patienceMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** What the promise rejected with; breaks the rule when it does not reject. */
export async function rejection(promise: Promise<unknown>, message: string): Promise<unknown> {
  try {
    await promise
  } catch (thrown) {
    return thrown
  }
  throw new ConformanceError(message)
}
