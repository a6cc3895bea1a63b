/**
 * The options of the console, and the safe choice for each that is left out. `serve.ts` checks them before it opens anything;
 * `parseListen` reads what `--console` was given. Invariant: without a host that was named, it listens on loopback alone.
 */
import { HeadgateError } from '../../model/errors.ts'
import type { Logger } from '../../model/logger.ts'
import { OptionCheck } from '../../model/option.ts'

export const DEFAULT_HOST = '127.0.0.1'
export const DEFAULT_PORT = 7_207
const LEAST_TOKEN = 20

export interface ConsoleOptions {
  /** Where to listen; default 127.0.0.1. Anything else lets other machines in: give them a proxy that speaks TLS. */
  readonly host?: string
  /** Default 7207, or any free port when that is taken; 0 for any free port. */
  readonly port?: number
  /** Default: random at each start. One of your own has 20 characters or more, of `A–Z a–z 0–9 - . _ ~ + / =`. */
  readonly token?: string
  /** Names that the console may be called by, beside `localhost`, addresses and `host`: that of a proxy, say. */
  readonly allowedHosts?: readonly string[]
  /** `/metrics` and `/autoscale` without the token, for scrapers that cannot send one; default false. */
  readonly openMetrics?: boolean
  /**
   * `/healthz` answers 503 once nothing has moved for this long although work is in flight; default 60,000, range 5,000–3,600,000.
   * Raise when single calls or writes take longer than that, lower when a hang must be noticed sooner.
   */
  readonly stalledAfterMs?: number
  /** `headgate doctor` on this machine finds the console by itself, through a file that only this user can read; default true. */
  readonly discoverable?: boolean
  /** Where changes are written to, as audit lines; default: nowhere. */
  readonly log?: Logger
}

export interface CheckedConsoleOptions {
  readonly host: string
  readonly port: number
  /** Any free port will do when this one is taken. */
  readonly fallback: boolean
  readonly token: string | null
  readonly allowedHosts: readonly string[]
  readonly openMetrics: boolean
  readonly discoverable: boolean
  readonly stalledAfterMs: number
}

export function checkConsoleOptions(options: ConsoleOptions): CheckedConsoleOptions {
  const check = new OptionCheck('serveConsole', options, {
    host: true,
    port: true,
    token: true,
    allowedHosts: true,
    openMetrics: true,
    discoverable: true,
    stalledAfterMs: true,
    log: true,
  })
  check.texts('host')
  check.booleans('openMetrics', 'discoverable')
  const { host = DEFAULT_HOST, token = null, allowedHosts = [], openMetrics = false, discoverable = true } = options
  if (token !== null && (typeof token !== 'string' || token.length < LEAST_TOKEN || !/^[\w~+/.=-]+$/.test(token))) {
    // Without what was given: it may be nearly the right one.
    throw new HeadgateError(
      'HG_OPTION_INVALID',
      `serveConsole › token: expected ${LEAST_TOKEN} or more characters of A–Z a–z 0–9 - . _ ~ + / =; leave it out for a random one`,
    )
  }
  if (!Array.isArray(allowedHosts) || !allowedHosts.every((name) => /^[a-z0-9._-]{1,253}$/i.test(name))) {
    throw check.refusal('allowedHosts', 'a list of host names without scheme and port')
  }
  return {
    host,
    token,
    allowedHosts,
    openMetrics,
    discoverable,
    fallback: options.port === undefined,
    port: check.integer('port', DEFAULT_PORT, { min: 0, max: 65_535, unit: '' }),
    stalledAfterMs: check.integer('stalledAfterMs', 60_000, { min: 5_000, max: 3_600_000, unit: 'milliseconds' }),
  }
}

/** `9000`, `0.0.0.0:9000`, `[::1]:9000`, `box.local:9000` → host and port; null when it is none of these. */
export function parseListen(text: string): { host?: string; port: number } | null {
  const match = /^(?:(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+)):)?(\d{1,5})$/i.exec(text.trim())
  const port = Number(match?.[3])
  if (match === null || port > 65_535) return null
  const host = match[1] ?? match[2]
  return host === undefined ? { port } : { host, port }
}
