/** Reads the small JSON body of a change. Bounded before it is read, and refused unless it says that it is JSON: a form of another site cannot. */
import type { IncomingMessage } from 'node:http'
import { Refusal } from './refusal.ts'

const MOST_BYTES = 4_096

export async function readJson(request: IncomingMessage): Promise<unknown> {
  const type = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase()
  if (type !== 'application/json') {
    throw new Refusal(415, 'bad-request', 'the body must be JSON: send the header `Content-Type: application/json`')
  }
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength
    if (bytes > MOST_BYTES) throw new Refusal(413, 'bad-request', `the body may have ${MOST_BYTES} bytes at most`)
    chunks.push(chunk)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch {
    throw new Refusal(400, 'bad-request', 'the body is not JSON')
  }
}
