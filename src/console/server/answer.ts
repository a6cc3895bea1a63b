/**
 * How the console answers: one set of headers for everything, so that no answer is ever stored, framed, sniffed, or allowed to
 * load a thing from elsewhere. Routes use these functions and never write headers of their own.
 */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { HeadgateError } from '../../model/errors.ts'
import { mask } from '../../model/secrets.ts'
import type { RefusalDocument } from '../documents.ts'
import { maskedJson } from './masked-json.ts'
import { Refusal } from './refusal.ts'

const HEADERS: OutgoingHttpHeaders = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
}

export function send(
  response: ServerResponse,
  status: number,
  type: string,
  body: string | Uint8Array,
  more: OutgoingHttpHeaders = {},
): void {
  const length = typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength
  response.writeHead(status, { ...HEADERS, 'content-type': type, 'content-length': length, ...more }).end(body)
}

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  send(response, status, 'application/json; charset=utf-8', maskedJson(value))
}

export function sendNothing(response: ServerResponse, more: OutgoingHttpHeaders): void {
  response.writeHead(204, { ...HEADERS, ...more }).end()
}

/**
 * Begins an answer that goes on until the connection is closed. It comes in no chunks: each event is then one write of bytes
 * that all pages share, where a chunk would be three.
 */
export function beginStream(response: ServerResponse): ServerResponse {
  response.removeHeader('transfer-encoding')
  response.writeHead(200, {
    ...HEADERS,
    'content-type': 'text/event-stream; charset=utf-8',
    'x-accel-buffering': 'no',
    connection: 'close',
  })
  response.flushHeaders()
  return response
}

/** What was thrown, as an answer. An error that nobody foresaw says no more than that it happened. */
export function sendError(response: ServerResponse, thrown: unknown): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const [status, code, message] = explained(thrown)
  const document: RefusalDocument = { error: { code, message: mask(message) } }
  // What is left of a refused request is not read: the connection is of no more use.
  response.setHeader('connection', 'close')
  if (status === 401) response.setHeader('www-authenticate', 'Bearer')
  sendJson(response, status, document)
}

function explained(thrown: unknown): [status: number, code: string, message: string] {
  if (thrown instanceof Refusal) return [thrown.status, thrown.code, thrown.message]
  if (thrown instanceof HeadgateError && thrown.code === 'HG_OPTION_INVALID') {
    return [400, thrown.code, `nothing was changed: ${thrown.message}`]
  }
  return [500, 'HG_INVARIANT', 'the console could not answer; the log says why']
}
