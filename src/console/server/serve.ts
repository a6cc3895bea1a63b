/**
 * The console's server: opens the port, bounds what a stranger can hold open, and puts gate, router and feed together.
 * `headgate run --console` calls it, and so does a program of one's own through `headgate/console`. It never keeps a
 * process alive, and nothing that is asked of it reaches the pipeline but through `Running`.
 */
import { createServer, type Server } from 'node:http'
import { type AddressInfo, isIP } from 'node:net'
import { describe, HeadgateError } from '../../model/errors.ts'
import { type Logger, SILENT_LOGGER } from '../../model/logger.ts'
import { writeRunFile } from '../run-file.ts'
import { Control } from './control.ts'
import { Credentials } from './credentials.ts'
import { Feed } from './feed.ts'
import { Gate } from './gate.ts'
import { type ConsoleOptions, checkConsoleOptions } from './options.ts'
import { readPageFiles } from './page-files.ts'
import { createRouter } from './router.ts'
import type { ConsoleTarget } from './target.ts'

/** A console that is up. */
export interface ServedConsole {
  /** With the token: whoever has the link may look and change. */
  readonly url: string
  /** Without it: where scripts and probes go. */
  readonly origin: string
  /** The header `Authorization: Bearer …` of a script. */
  readonly token: string
  close(): Promise<void>
}

const PAGE_FOLDER = new URL('../page/', import.meta.url)

/** What one connection may take: a slow sender is cut off within seconds, and there is a limit to how many there are. */
const HEADERS_MS = 5_000
const REQUEST_MS = 10_000
const IDLE_MS = 5_000
const CHECK_MS = 1_000
const HEADER_BYTES = 8_192
const HEADERS = 64
const CONNECTIONS = 128
const REQUESTS_A_CONNECTION = 1_000

/** Throws `HG_OPTION_INVALID` when an option is wrong or the port cannot be had. */
export async function serveConsole(running: ConsoleTarget, options: ConsoleOptions = {}): Promise<ServedConsole> {
  const checked = checkConsoleOptions(options)
  const { host, port, fallback, token, allowedHosts, openMetrics, stalledAfterMs } = checked
  const { log = SILENT_LOGGER } = options
  const credentials = new Credentials(token)
  const control = new Control(running, log)
  const feed = new Feed(running, control, stalledAfterMs, log)
  const gate = new Gate(credentials, isIP(host) === 0 ? [host, ...allowedHosts] : allowedHosts)
  const files = readPageFiles(PAGE_FOLDER)
  const server = createServer(
    {
      headersTimeout: HEADERS_MS,
      requestTimeout: REQUEST_MS,
      keepAliveTimeout: IDLE_MS,
      connectionsCheckingInterval: CHECK_MS,
      maxHeaderSize: HEADER_BYTES,
      requireHostHeader: true,
      insecureHTTPParser: false,
    },
    createRouter({ target: running, gate, credentials, feed, control, files, openMetrics, log }),
  )
  server.maxHeadersCount = HEADERS
  server.maxConnections = CONNECTIONS
  server.maxRequestsPerSocket = REQUESTS_A_CONNECTION
  await listen(server, host, port, fallback)
  server.on('error', (error) => log.error({}, `console: ${describe(error)}`))
  server.unref()
  feed.start()

  const origin = originOf(server.address() as AddressInfo)
  const hide = checked.discoverable ? announce(running, origin, credentials.token, log) : () => {}
  return {
    origin,
    token: credentials.token,
    url: `${origin}/#token=${credentials.token}`,
    async close() {
      hide()
      feed.stop()
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
    },
  }
}

/** A console that cannot be found works all the same. */
function announce(running: ConsoleTarget, origin: string, token: string, log: Logger): () => void {
  const { pipeline, startedAtMs } = running.status()
  try {
    return writeRunFile({ pid: process.pid, pipeline, origin, token, startedAtMs })
  } catch (thrown) {
    log.warn({}, `headgate doctor will not find this console by itself: ${describe(thrown)}`)
    return () => {}
  }
}

/** `fallback`: any free port when this one is taken. */
async function listen(server: Server, host: string, port: number, fallback: boolean): Promise<void> {
  try {
    await listenOn(server, host, port)
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException
    if (fallback && code === 'EADDRINUSE') {
      await listen(server, host, 0, false)
      return
    }
    const where = `${host.includes(':') ? `[${host}]` : host}:${port}`
    const why =
      code === 'EADDRINUSE'
        ? 'another process has that port; name another one, or 0 for any that is free'
        : code === 'EACCES'
          ? 'this user may not open that port; take one from 1024 on'
          : (thrown as Error).message
    throw new HeadgateError('HG_OPTION_INVALID', `the console cannot listen on ${where}: ${why}`, { cause: thrown })
  }
}

function listenOn(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port, exclusive: true }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** An address that can be opened: "every address" is none. */
function originOf({ address, port, family }: AddressInfo): string {
  const any = address === '0.0.0.0' || address === '::'
  const shown = any ? '127.0.0.1' : family === 'IPv6' ? `[${address}]` : address
  return `http://${shown}:${port}`
}
