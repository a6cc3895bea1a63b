/**
 * The fraud API of the example: a real HTTP server, in a process of its own, that sustains 20,000 requests a minute.
 * `npm start` and `npm run compare` start it; alone: `npx tsx examples/payment-enrichment/fraud-api.ts --port 8080`.
 * `POST /score` takes a payment and answers its score, or 429 / 503 with Retry-After. `GET /stats` shows what it
 * counted. `fraud-model.ts` decides, this file performs. When ready it prints one line: `{"listening":8080}`.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'
import { endWithParent, numberFlag } from './flags.ts'
import { FRAUD_DEFAULTS, FraudModel } from './fraud-model.ts'
import { FraudTally } from './fraud-tally.ts'
import type { Payment, Score } from './payment.ts'
import { seededDraw } from './random.ts'

const { values: flags } = parseArgs({
  options: {
    port: { type: 'string' },
    'per-minute': { type: 'string' },
    servers: { type: 'string' },
    'mean-ms': { type: 'string' },
    'refusal-ms': { type: 'string' },
    seed: { type: 'string' },
    child: { type: 'boolean', default: false },
  },
})

const options = {
  ...FRAUD_DEFAULTS,
  perMinute: numberFlag('per-minute', flags['per-minute'], FRAUD_DEFAULTS.perMinute),
  servers: numberFlag('servers', flags.servers, FRAUD_DEFAULTS.servers),
  meanMs: numberFlag('mean-ms', flags['mean-ms'], FRAUD_DEFAULTS.meanMs),
  refusalMs: numberFlag('refusal-ms', flags['refusal-ms'], FRAUD_DEFAULTS.refusalMs),
}
// The monotonic clock decides: a step of the wall clock must neither refill nor drain the quota.
const model = new FraudModel(options, seededDraw(numberFlag('seed', flags.seed, 1)), performance.now())
const tally = new FraudTally(options.perMinute, Date.now())

/** The same payment gets the same score, however often it is asked for. */
function scoreOf(payment: Payment): Score {
  let hash = 17
  for (let index = 0; index < payment.paymentId.length; index += 1) {
    hash = Math.imul(hash, 31) + payment.paymentId.charCodeAt(index)
  }
  const score = (hash >>> 0) % 1000
  return {
    paymentId: payment.paymentId,
    score: score / 1000,
    decision: score < 900 ? 'accept' : score < 980 ? 'review' : 'decline',
  }
}

/** Looks no closer than it must: scoring is this server's trade, checking is the pipeline's. */
function paymentIn(body: string): Payment | null {
  try {
    const value = JSON.parse(body) as Partial<Payment> | null
    return typeof value?.paymentId === 'string' && typeof value.accountId === 'string' ? (value as Payment) : null
  } catch {
    return null
  }
}

function send(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  const text = JSON.stringify(body)
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    ...headers,
  })
  response.end(text)
}

function refuse(request: IncomingMessage, response: ServerResponse, status: 429 | 503, retryAfterMs: number): void {
  request.resume()
  const retryAfter = String(Math.max(1, Math.ceil(retryAfterMs / 1000)))
  send(response, status, { error: status === 429 ? 'quota exceeded' : 'overloaded' }, { 'retry-after': retryAfter })
}

function score(request: IncomingMessage, response: ServerResponse): void {
  tally.attempted(Date.now())
  const verdict = model.arrive(performance.now())
  if (verdict.kind !== 'admitted') {
    tally.refused(verdict.kind)
    refuse(request, response, verdict.kind === 'quota' ? 429 : 503, verdict.retryAfterMs)
    return
  }
  tally.admitted()
  let body = ''
  request.setEncoding('utf8')
  request.on('data', (chunk: string) => (body += chunk))
  // The work goes on when the caller has gone: a server does not notice, and its capacity is spent all the same.
  setTimeout(() => {
    if (response.destroyed || !request.complete) {
      tally.abandoned()
      response.destroy()
      return
    }
    const payment = paymentIn(body)
    if (payment === null) {
      tally.abandoned()
      return send(response, 400, { error: 'not a payment' })
    }
    tally.completed(payment, Date.now())
    send(response, 200, scoreOf(payment))
  }, verdict.doneInMs)
}

const server = createServer((request, response) => {
  if (request.method === 'POST' && request.url === '/score') return score(request, response)
  if (request.method === 'GET' && request.url === '/stats') return send(response, 200, tally.stats(Date.now()))
  if (request.method === 'GET' && request.url === '/answered') return send(response, 200, [...tally.answered()])
  request.resume()
  send(response, 404, { error: 'POST /score, GET /stats or GET /answered' })
})
server.keepAliveTimeout = 30_000
server.listen(numberFlag('port', flags.port, 0), '127.0.0.1', 1024, () => {
  console.log(JSON.stringify({ listening: (server.address() as AddressInfo).port }))
})

process.once('SIGTERM', () => process.exit(0))
if (flags.child) endWithParent()
