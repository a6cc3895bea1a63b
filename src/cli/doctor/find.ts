/**
 * What `headgate doctor` is to look at: a console found on this machine, one at an address, or a report file. The only place that
 * knows how a target is spelled; whatever cannot be found is said together with what there is.
 */
import { existsSync } from 'node:fs'
import { type RunFile, readRunFiles } from '../../console/run-file.ts'
import { CliFailure } from '../failure.ts'

export type Target =
  | { readonly kind: 'console'; readonly origin: string; readonly token: string | null }
  | { readonly kind: 'report'; readonly path: string }

export interface Surroundings {
  readonly env: NodeJS.ProcessEnv
  readonly consoles: () => readonly RunFile[]
}

const HERE: Surroundings = { env: process.env, consoles: readRunFiles }

export function findTarget(given: string | undefined, { env, consoles }: Surroundings = HERE): Target {
  const token = env['HEADGATE_CONSOLE_TOKEN'] || null
  if (given !== undefined && /^https?:\/\//.test(given)) return atAddress(given, token, consoles)
  if (given !== undefined && existsSync(given)) return { kind: 'report', path: given }
  const all = consoles()
  const fit = given === undefined ? all : all.filter(({ pipeline, pid }) => pipeline === given || String(pid) === given)
  const [only] = fit
  if (only !== undefined && fit.length === 1) return { kind: 'console', origin: only.origin, token: only.token }
  throw fit.length > 1 ? several(fit) : nothing(given, all)
}

/** The token of the link, of the environment, or of the console's own file when it is one of this machine. */
function atAddress(text: string, token: string | null, consoles: Surroundings['consoles']): Target {
  const url = parseUrl(text)
  const inLink = /^#token=(.+)$/.exec(url.hash)?.[1] ?? null
  const own = (): string | null => consoles().find(({ origin }) => origin === url.origin)?.token ?? null
  return { kind: 'console', origin: url.origin, token: inLink ?? token ?? own() }
}

function parseUrl(text: string): URL {
  try {
    return new URL(text)
  } catch {
    throw new CliFailure(`'${text}' is not an address`, { advice: 'Use http://HOST:PORT, as the pipeline printed it.' })
  }
}

function several(fit: readonly RunFile[]): CliFailure {
  const lines = fit.map(({ pipeline, pid, origin }) => `headgate doctor ${pid}   ${pipeline}, ${origin}`)
  return new CliFailure('several pipelines run here', { advice: `Name one of them:\n${lines.join('\n')}` })
}

function nothing(given: string | undefined, all: readonly RunFile[]): CliFailure {
  if (given === undefined) {
    return new CliFailure('no pipeline with a console runs here', {
      advice:
        'Start it with `headgate run FILE --console`, or name the address of a console or a report file. ' +
        'Pipelines of other users, in containers or on other machines are not found by themselves.',
    })
  }
  const known = all.map(({ pipeline, pid }) => `${pipeline} (${pid})`).join(', ') || 'none'
  return new CliFailure(`there is no pipeline, process or file '${given}'`, {
    advice: `Pipelines with a console here: ${known}.`,
  })
}
