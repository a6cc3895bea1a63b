/**
 * `--console` of `headgate run`: opens the console beside the pipeline and says where it is. The link holds the token, so it is
 * shown on a terminal only; where standard error goes to a file or a collector, the address is said and the token is left to
 * `headgate doctor --link`.
 */
import { parseListen } from '../../console/server/options.ts'
import type { ServedConsole } from '../../console/server/serve.ts'
import type { Logger } from '../../model/logger.ts'
import { CliFailure, EXIT } from '../failure.ts'
import { OUTPUT } from '../output.ts'
import type { StartedPipeline } from './contract.ts'

export interface ConsoleRunOptions {
  /** `true` for `--console` without a value. */
  readonly console?: string | true
  readonly consoleHost?: readonly string[]
  readonly consoleOpenMetrics?: boolean
}

/** Checked before the pipeline starts: host and port, or null without `--console`. */
export function consoleAddress({ console: given }: ConsoleRunOptions): { host?: string; port?: number } | null {
  if (given === undefined) return null
  const address = given === true ? {} : parseListen(given)
  if (address !== null) return address
  throw new CliFailure(`'${String(given)}' is not where a console can listen`, {
    advice:
      'Use --console, --console 9000 or --console 0.0.0.0:9000. A file that follows it takes the place of the port: ' +
      'write `headgate run FILE --console`.',
  })
}

export async function openConsole(
  running: StartedPipeline,
  address: { host?: string; port?: number },
  options: ConsoleRunOptions,
  log: Logger,
): Promise<ServedConsole> {
  const token = process.env['HEADGATE_CONSOLE_TOKEN']
  if (typeof running.look !== 'function' || typeof running.latencies !== 'function') {
    throw new CliFailure('the copy of Headgate that the pipeline uses is older than this command and has no console', {
      exitCode: EXIT.failed,
      advice: 'Use one version for both: npm ls headgate shows them.',
    })
  }
  const { serveConsole } = await import('../../console/server/serve.ts')
  const served = await serveConsole(running, {
    ...address,
    ...(token ? { token } : {}),
    ...(options.consoleHost ? { allowedHosts: options.consoleHost } : {}),
    openMetrics: options.consoleOpenMetrics === true,
    log,
  })
  if (address.host !== undefined && !isLoopback(address.host)) {
    log.warn(
      { host: address.host },
      'the console is open to other machines, without TLS: put a proxy with TLS before it',
    )
  }
  if (process.stderr.isTTY) OUTPUT.say(`console: ${served.url}`)
  else log.info({}, `console: ${served.origin} (the link with its token: headgate doctor --link)`)
  return served
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\./.test(host)
}
