/** A console over a pipeline that waits in its calls, and plain requests to it: any method, host and header. */
import { type IncomingHttpHeaders, request } from 'node:http'
import { connect } from 'node:net'
import { pipeline, type Running } from 'headgate'
import { memory } from 'headgate/memory'
import { onTestFinished } from 'vitest'
import type { ConsoleOptions } from '../../../src/console/server/options.ts'
import { type ServedConsole, serveConsole } from '../../../src/console/server/serve.ts'
import type { Diagnosis } from '../../../src/model/diagnosis.ts'
import { sampleDiagnosis } from '../sample-diagnosis.ts'

export interface Said {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface Asked {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string | string[]>>
  readonly body?: string
}

export interface World {
  readonly running: Running
  readonly console: ServedConsole
  /** Without any proof. */
  ask(path: string, asked?: Asked): Promise<Said>
  /** With the token, as a script. */
  script(path: string, asked?: Asked): Promise<Said>
}

export interface WorldOptions extends ConsoleOptions {
  readonly diagnosis?: () => Diagnosis
}

/** A running pipeline `orders` with the call stage `enrich`, whose calls wait until the test has ended. */
export async function startOrders(): Promise<Running> {
  const ended = new AbortController()
  const running = await pipeline('orders')
    .from(memory.source([1, 2, 3]))
    .call(
      'enrich',
      (n, { signal }) =>
        new Promise<number>((resolve, reject) => {
          signal.addEventListener('abort', () => reject(new Error('stopped')), { once: true })
          ended.signal.addEventListener('abort', () => resolve(n), { once: true })
        }),
      { concurrency: 2, timeoutMs: 60_000 },
    )
    .to(memory.sink())
    .start()
  onTestFinished(async () => {
    ended.abort()
    await running.stop()
  })
  return running
}

export async function openWorld({ diagnosis = sampleDiagnosis, ...options }: WorldOptions = {}): Promise<World> {
  const running = await startOrders()
  const target = {
    status: () => running.status(),
    profile: () => running.profile({ durationMs: 50 }),
    latencies: () => running.latencies(),
    limits: () => running.limits(),
    options: () => running.options(),
    setLimits: running.setLimits.bind(running),
    pause: () => running.pause(),
    resume: () => running.resume(),
    drain: () => running.drain(),
    diagnose: diagnosis,
    look: () => ({ status: running.status(), diagnosis: diagnosis() }),
  }
  const console = await serveConsole(target, { port: 0, discoverable: false, ...options })
  onTestFinished(() => console.close())
  const ask = (path: string, asked?: Asked): Promise<Said> => send(console.origin, path, asked)
  return {
    running,
    console,
    ask,
    script: (path, { headers, ...asked } = {}) =>
      ask(path, { ...asked, headers: { authorization: `Bearer ${console.token}`, ...headers } }),
  }
}

/** Headers go out as they are given: `host` too. */
export function send(origin: string, path: string, { method = 'GET', headers = {}, body }: Asked = {}): Promise<Said> {
  return new Promise((resolve, reject) => {
    const sent = request(`${origin}${path}`, { method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.once('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString('utf8'),
        }),
      )
      response.once('error', reject)
    })
    sent.once('error', reject)
    sent.end(body)
  })
}

export const JSON_TYPE = { 'content-type': 'application/json' }

export function change(body: unknown, headers: Asked['headers'] = {}): Asked {
  return { method: 'POST', headers: { ...JSON_TYPE, ...headers }, body: JSON.stringify(body) }
}

/** Writes the lines and returns all that came back. */
export function raw(port: number, lines: readonly string[]): Promise<string> {
  return conversation(port, (write) => write(lines.join('\r\n')))
}

/** Writes the head, then a byte now and then, until the other side hangs up. */
export function drip(port: number, head: string): Promise<string> {
  return conversation(port, (write, ended) => {
    write(head)
    const timer = setInterval(() => write('x'), 500)
    void ended.then(() => clearInterval(timer))
  })
}

function conversation(
  port: number,
  talk: (write: (text: string) => void, ended: Promise<void>) => void,
): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    let answer = ''
    let end = (): void => {}
    const ended = new Promise<void>((settle) => {
      end = settle
    })
    socket.on('data', (chunk) => (answer += chunk.toString()))
    socket.on('error', () => {})
    socket.on('close', () => {
      end()
      resolve(answer)
    })
    socket.on('connect', () => talk((text) => socket.writable && socket.write(text), ended))
  })
}
