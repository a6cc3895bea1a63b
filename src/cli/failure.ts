/**
 * How the command line says that something is wrong: one sentence, what to do about it, and an exit code; a stack
 * trace only when asked for. Commands throw `CliFailure`; main prints whatever reached it through `report`.
 */
import { describe, HeadgateError } from '../model/errors.ts'

/** The exit codes, as documented in every help text and in docs/cli.md. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  returned: 3,
} as const

/** An expected failure: shown without a stack trace. */
export class CliFailure extends Error {
  override readonly name = 'CliFailure'
  readonly exitCode: number
  /** What the reader can do, one sentence or a few lines; empty when the first sentence says it. */
  readonly advice: string

  constructor(message: string, options: { exitCode?: number; advice?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.exitCode = options.exitCode ?? EXIT.usage
    this.advice = options.advice ?? ''
  }
}

export function verbose(argv: readonly string[] = process.argv, env: NodeJS.ProcessEnv = process.env): boolean {
  return argv.includes('--verbose') || /(^|[\s,])(\*|1|true|headgate)/.test(env['DEBUG'] ?? '')
}

/** What to print for an error, and the code to exit with. */
export function explain(thrown: unknown, withStack: boolean): { text: string; exitCode: number } {
  const stack = withStack && thrown instanceof Error ? `\n${stackOf(thrown)}` : ''
  if (thrown instanceof CliFailure) {
    const advice = thrown.advice ? `\n${indent(thrown.advice)}` : ''
    return { text: `error: ${thrown.message}${advice}${stack}`, exitCode: thrown.exitCode }
  }
  const hint = withStack ? '' : '\n  Run again with --verbose for the stack trace.'
  if (thrown instanceof HeadgateError || hasCode(thrown, 'HG_')) {
    const code = (thrown as { code: string }).code
    const exitCode = code === 'HG_OPTION_INVALID' ? EXIT.usage : EXIT.failed
    return { text: `error: ${describe(thrown)} (${code})${stack}`, exitCode }
  }
  return { text: `error: ${describe(thrown)}${stack || hint}`, exitCode: EXIT.failed }
}

function hasCode(thrown: unknown, prefix: string): boolean {
  const code = (thrown as { code?: unknown } | null)?.code
  return thrown instanceof Error && typeof code === 'string' && code.startsWith(prefix)
}

function stackOf(error: Error): string {
  const own = error.stack ?? error.message
  return error.cause instanceof Error ? `${own}\ncaused by ${stackOf(error.cause)}` : own
}

function indent(text: string): string {
  return text
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n')
}
