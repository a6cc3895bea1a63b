/**
 * One table of what can be asked for, and what each asks for in turn. Every request passes the gate before its route is entered; what
 * a route throws is answered, and nothing thrown leaves this file.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { describe } from '../../model/errors.ts'
import type { Logger } from '../../model/logger.ts'
import { prometheusText } from '../../telemetry/prometheus.ts'
import type { ControlAnswer, OptionsDocument } from '../documents.ts'
import { beginStream, send, sendError, sendJson, sendNothing } from './answer.ts'
import { readJson } from './body.ts'
import type { Control } from './control.ts'
import type { Credentials, Proof } from './credentials.ts'
import type { Feed } from './feed.ts'
import type { Gate, Need } from './gate.ts'
import type { PageFile } from './page-files.ts'
import { readiness } from './progress.ts'
import { Refusal } from './refusal.ts'
import type { ConsoleTarget } from './target.ts'

interface Route {
  readonly need: Need
  handle(request: IncomingMessage, response: ServerResponse, proof: Proof | null): void | Promise<void>
}

export interface RouterParts {
  readonly target: ConsoleTarget
  readonly gate: Gate
  readonly credentials: Credentials
  readonly feed: Feed
  readonly control: Control
  readonly files: ReadonlyMap<string, PageFile>
  /** `/metrics` and `/autoscale` need no token. */
  readonly openMetrics: boolean
  readonly log: Logger
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => void

export function createRouter(parts: RouterParts): Handler {
  const routes = routesOf(parts)
  return (request, response) => {
    answer(routes, parts, request, response).catch((thrown: unknown) => {
      if (!(thrown instanceof Refusal)) parts.log.debug({}, `console: a request failed: ${describe(thrown)}`)
      sendError(response, thrown)
    })
  }
}

async function answer(
  routes: ReadonlyMap<string, Route>,
  { gate, files }: RouterParts,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? '').split('?', 1)[0] as string
  const method = request.method === 'HEAD' ? 'GET' : request.method
  const file = method === 'GET' ? files.get(path) : undefined
  if (file !== undefined) {
    send(response, 200, file.type, file.body)
    return
  }
  const route = routes.get(`${method} ${path}`)
  if (route === undefined) {
    const other = [...routes.keys()].some((key) => key.endsWith(` ${path}`))
    if (other) throw new Refusal(405, 'bad-request', `${path} does not take ${method}`)
    const known = [...routes.keys()].join(', ')
    throw new Refusal(404, 'not-found', `there is nothing here; the console answers to ${known}`)
  }
  await route.handle(request, response, gate.check(request, route.need))
}

function routesOf({ target, credentials, feed, control, files, openMetrics }: RouterParts): Map<string, Route> {
  const figures: Need = openMetrics ? 'open' : 'look'
  const routes: Record<string, Route> = {
    'GET /events': {
      need: 'look',
      handle({ method }, response) {
        if (method !== 'HEAD') feed.open(response)
        else beginStream(response).end()
      },
    },
    'GET /status': { need: 'look', handle: (_, response) => sendJson(response, 200, target.status()) },
    'GET /diagnosis': { need: 'look', handle: (_, response) => sendJson(response, 200, target.diagnose()) },
    'GET /history': { need: 'look', handle: (_, response) => sendJson(response, 200, feed.history.document()) },
    'GET /limits': { need: 'look', handle: (_, response) => sendJson(response, 200, target.limits()) },
    'GET /options': { need: 'look', handle: (_, response) => sendJson(response, 200, optionsDocument(target)) },
    'GET /autoscale': { need: figures, handle: (_, response) => sendJson(response, 200, target.diagnose().autoscale) },
    'GET /metrics': {
      need: figures,
      handle: (_, response) => {
        send(response, 200, 'text/plain; version=0.0.4; charset=utf-8', prometheusText(target))
      },
    },
    'GET /healthz': { need: 'open', handle: (_, response) => probe(response, feed.health) },
    'GET /readyz': { need: 'open', handle: (_, response) => probe(response, readiness(target.status())) },
    'POST /session': {
      need: 'change',
      handle: (request, response, proof) => {
        if (proof !== 'token') throw new Refusal(401, 'unauthorised', 'a session begins with the token')
        const cookie = credentials.sessionCookie(request.socket.localPort ?? 0)
        sendNothing(response, { 'set-cookie': cookie })
      },
    },
    'POST /profile': {
      need: 'change',
      handle: async (_, response) => {
        const taken = await target.profile().catch((thrown: unknown) => {
          throw new Refusal(409, 'conflict', `no profile was taken: ${describe(thrown)}`)
        })
        sendJson(response, 200, taken)
      },
    },
    'POST /control': {
      need: 'change',
      handle: async (request, response, proof) => {
        const by = `${proof === 'session' ? 'page' : 'script'} at ${request.socket.remoteAddress ?? 'unknown'}`
        const body = await readJson(request)
        const done: ControlAnswer = { done: control.change(body, { by, nowMs: Date.now() }) }
        sendJson(response, 200, done)
      },
    },
  }
  if (!files.has('/')) {
    routes['GET /'] = {
      need: 'open',
      handle: (_, response) =>
        send(
          response,
          200,
          'text/plain; charset=utf-8',
          'Headgate. The page is not built here; the endpoints answer.\n',
        ),
    }
  }
  return new Map(Object.entries(routes))
}

function optionsDocument(target: ConsoleTarget): OptionsDocument {
  return { parts: target.options() }
}

function probe(response: ServerResponse, { ok, reason }: { ok: boolean; reason: string }): void {
  sendJson(response, ok ? 200 : 503, { ok, reason })
}
