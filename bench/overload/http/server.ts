/**
 * A real HTTP server, in a process of its own, whose capacity is that of the modelled downstream. `live-downstream.ts`
 * decides, this file performs. `GET /call` is answered as the model says: 200, 429 and 503 with Retry-After, not at
 * all, or by cutting the connection. `POST /begin` starts the first phase, `GET /counts` tells what was counted. When
 * ready it prints one line: `{"listening":port}`. It listens on loopback and ends with its parent.
 */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'
import { endWithParent } from '../../../examples/payment-enrichment/flags.ts'
import type { Outcome, Phase, Scenario } from '../../../src/sim/scenario.ts'
import { countsOf, type ServerCounts, watchLoop } from './counts.ts'
import { LiveDownstream } from './live-downstream.ts'

const { values } = parseArgs({ options: { scenario: { type: 'string' }, seed: { type: 'string', default: '1' } } })
const scenario = JSON.parse(values.scenario ?? '') as Scenario
const seed = Number(values.seed)

/** Until the first phase begins there is no trouble: calls that warm up code are all served. */
const { servers, service, network } = scenario.phases[0] as Phase
const quiet: Scenario = {
  name: 'warm-up',
  phases: [{ name: 'warm-up', durationMs: 60_000, servers, service, network }],
}
let live = new LiveDownstream(quiet, seed)
let beganMs = performance.now()
let timer: NodeJS.Timeout | undefined
let timerMs = Number.POSITIVE_INFINITY
const loopDelayP99Ms = watchLoop()

const nowMs = (): number => performance.now() - beganMs

/** Node's timers are whole milliseconds and never early, so what is due is answered within about one. */
function expect(): void {
  const { nextMs } = live
  if (nextMs >= timerMs) return
  clearTimeout(timer)
  timerMs = nextMs
  timer = setTimeout(
    () => {
      timerMs = Number.POSITIVE_INFINITY
      live.advance(nowMs())
      expect()
    },
    Math.max(0, Math.floor(nextMs - nowMs())),
  )
}

function send(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  const text = JSON.stringify(body)
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': text.length, ...headers })
  response.end(text)
}

function answer(response: ServerResponse, { kind, status, retryAfterMs, rateLimit }: Outcome): void {
  if (kind === 'failed') {
    response.socket?.resetAndDestroy()
    return
  }
  const headers: Record<string, string> = {}
  if (retryAfterMs !== undefined) headers['retry-after'] = String(Math.ceil(retryAfterMs / 1000))
  if (rateLimit !== undefined) {
    headers['ratelimit-limit'] = String(rateLimit.limit)
    headers['ratelimit-remaining'] = String(rateLimit.remaining)
    headers['ratelimit-reset'] = String(Math.ceil((rateLimit.resetMs ?? 0) / 1000))
  }
  send(response, status ?? 200, { kind }, headers)
}

function call(response: ServerResponse): void {
  const ticket = live.arrive(nowMs(), (outcome) => answer(response, outcome))
  response.once('close', () => {
    // After an answer this says nothing: the ticket means nothing then.
    live.gone(ticket, nowMs())
    expect()
  })
  expect()
}

function begin(): void {
  live = new LiveDownstream(scenario, seed)
  beganMs = performance.now()
  expect()
}

function counts(): ServerCounts {
  live.advance(nowMs())
  const phases = live.record.phases.map(countsOf)
  const { successes } = live.record.series
  return { isOver: live.isOver, phases, successes, inside: live.inside, loopDelayP99Ms: loopDelayP99Ms() }
}

const server = createServer((request, response) => {
  request.resume()
  if (request.method === 'GET' && request.url === '/counts') return send(response, 200, counts())
  if (request.method === 'POST' && request.url === '/begin') {
    begin()
    return send(response, 200, {})
  }
  if (request.method !== 'GET' || request.url !== '/call') return send(response, 404, {})
  call(response)
})
// A connection that was idle during an outage is as good as before; the model knows no others.
server.keepAliveTimeout = 120_000
server.requestTimeout = 0
server.listen(0, '127.0.0.1', 2048, () => {
  console.log(JSON.stringify({ listening: (server.address() as AddressInfo).port }))
})

process.once('SIGTERM', () => process.exit(0))
endWithParent()
