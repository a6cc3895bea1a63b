/**
 * Command-line values and the child's side of the parent's leash. Every script of the example reads its flags with
 * these, and those that are started by another one call `endWithParent`, so that none is ever left behind.
 */

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

export function numberFlag(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value) || value < 0) {
    throw new Error(`--${name} takes a number of 0 or more, not ${JSON.stringify(text)}`)
  }
  return value
}

/** `40s`, `500ms`, `2m` → milliseconds. */
export function durationFlag(name: string, text: string | undefined, otherwiseMs: number): number {
  if (text === undefined) return otherwiseMs
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text)
  if (!match) throw new Error(`--${name} takes a duration such as 40s or 2m, not ${JSON.stringify(text)}`)
  return Number(match[1]) * UNITS_MS[match[2]!]!
}

/**
 * Ends this process when its parent closes our standard input, which happens also when the parent is killed. Ctrl-C
 * is left to the parent: the terminal sends it to all of us, but the pipeline still needs us while it drains.
 */
export function endWithParent(stop: () => void = () => process.exit(0)): void {
  process.on('SIGINT', () => {})
  process.stdin.once('end', stop).once('error', stop).resume()
}
