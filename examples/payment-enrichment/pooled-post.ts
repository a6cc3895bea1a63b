/**
 * POST over a pool of keep-alive connections, for the naive consumer. `fetch` would open a connection for each
 * pending call, and with tens of thousands of them the process hardly gets to anything else; a bounded pool is what a
 * careful author gives it, so the comparison does too. Calls that find no connection wait in the agent.
 */
import { Agent, request } from 'node:http'

const CONNECTIONS = 256
const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })

export interface Answer {
  readonly status: number
  readonly text: string
}

/** The timeout counts from when the call has its connection; it rejects with an error named `TimeoutError`. */
export function post(url: string, body: string, timeoutMs: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const call = request(url, { method: 'POST', agent, headers, timeout: timeoutMs }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
      response.on('error', reject)
    })
    call.on('timeout', () => call.destroy(Object.assign(new Error('timed out'), { name: 'TimeoutError' })))
    call.on('error', reject)
    call.end(body)
  })
}
