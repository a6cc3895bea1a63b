/** The interceptor with the real undici, against a server on the loopback: nothing changes but when requests are made. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Duplex, Readable } from 'node:stream'
import { Agent, Client, type Dispatcher, fetch, interceptors, request } from 'undici'
import { afterEach, describe, expect, it } from 'vitest'
import { type AttemptOutcome, type Ended, type Limit, limiter, limitInterceptor } from '../../src/limit/index.ts'
import { settle } from './world.ts'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function serve(handler: Handler, upgraded: (socket: Duplex) => void = () => {}): Promise<string> {
  const server: Server = createServer(handler).listen(0, '127.0.0.1')
  server.on('upgrade', (_request, socket) => upgraded(socket))
  await once(server, 'listening')
  closing.push(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function dispatcherOf(...steps: Dispatcher.DispatcherComposeInterceptor[]): Dispatcher {
  const agent = new Agent()
  closing.push(() => agent.destroy())
  return agent.compose(...steps)
}

/** A server that answers only when the test says so. */
async function holding() {
  const held: ServerResponse[] = []
  let waiting: (() => void) | undefined
  const origin = await serve((_request, response) => {
    held.push(response)
    waiting?.()
  })
  const arrived = async (count: number): Promise<void> => {
    while (held.length < count) await new Promise<void>((resolve) => (waiting = resolve))
  }
  return { origin, held, arrived }
}

/** A limiter of so many requests at a time, which notes what it took them for. */
function watched(calls: number): { limit: Limit; outcomes: (AttemptOutcome | Ended)[] } {
  const outcomes: (AttemptOutcome | Ended)[] = []
  const classify = (ended: Ended): undefined => {
    outcomes.push(ended)
  }
  return { limit: limiter({ min: calls, max: calls, classify }), outcomes }
}

const textOf = async (body: { text(): Promise<string> }): Promise<string> => body.text()

describe('limitInterceptor', () => {
  it('passes answers, bodies and headers on as they are', async () => {
    const origin = await serve((incoming, response) => {
      response.writeHead(200, { 'x-path': incoming.url })
      incoming.pipe(response)
    })
    const dispatcher = dispatcherOf(limitInterceptor(limiter()))
    const asked = await request(`${origin}/a`, { dispatcher, method: 'POST', body: 'hello' })
    expect([asked.statusCode, asked.headers['x-path'], await asked.body.text()]).toEqual([200, '/a', 'hello'])
    const body = Readable.from(['x'.repeat(100_000), 'y'])
    const streamed = await request(`${origin}/b`, { dispatcher, method: 'POST', body })
    expect((await streamed.body.text()).length).toBe(100_001)
    const fetched = await fetch(`${origin}/c`, { dispatcher })
    expect([fetched.status, fetched.headers.get('x-path'), await fetched.text()]).toEqual([200, '/c', ''])
  })

  it('lets as many requests through as the limiter does, in order, whoever makes them', async () => {
    const { origin, held, arrived } = await holding()
    const { limit } = watched(2)
    const dispatcher = dispatcherOf(limitInterceptor(limit))
    const asked = ['/0', '/1', '/2', '/3'].map(async (path, at) =>
      at % 2
        ? fetch(origin + path, { dispatcher }).then(textOf)
        : textOf((await request(origin + path, { dispatcher })).body),
    )
    await arrived(2)
    await settle()
    expect(limit.snapshot()).toMatchObject({ inFlight: 2, waiting: 2, keys: [{ key: origin }] })
    held[0]?.end('a')
    await arrived(3)
    held[1]?.end('b')
    await arrived(4)
    held[2]?.end('c')
    held[3]?.end('d')
    expect((await Promise.all(asked)).sort()).toEqual(['a', 'b', 'c', 'd'])
    expect(limit.snapshot()).toMatchObject({ inFlight: 0, waiting: 0 })
  })

  it('hears status and headers, and has the next request wait for a Retry-After', async () => {
    const origin = await serve((_request, response) => response.writeHead(429, { 'retry-after': '60' }).end('later'))
    const limit = limiter({ initial: 4 })
    const dispatcher = dispatcherOf(limitInterceptor(limit))
    const first = await request(origin, { dispatcher })
    expect([first.statusCode, await first.body.text()]).toEqual([429, 'later'])
    const stop = new AbortController()
    const second = request(origin, { dispatcher, signal: stop.signal })
    expect(limit.snapshot()).toMatchObject({ waiting: 1, keys: [{ gate: 'retry-after' }] })
    const reason = new Error('enough')
    stop.abort(reason)
    await expect(second).rejects.toBe(reason)
    expect(limit.snapshot()).toMatchObject({ inFlight: 0, waiting: 0 })
  })

  it('keeps a key for each origin, or the one it is told', async () => {
    const origins = [await serve((_, response) => response.end()), await serve((_, response) => response.end())]
    const limit = limiter()
    const byOrigin = dispatcherOf(limitInterceptor(limit))
    for (const origin of origins) await (await request(origin, { dispatcher: byOrigin })).body.dump()
    const key = ({ headers }: { headers?: unknown }) => (headers as { tenant?: string } | undefined)?.tenant
    const byTenant = dispatcherOf(limitInterceptor(limit, { key }))
    await (await request(`${origins[0]}`, { dispatcher: byTenant, headers: { tenant: 'x' } })).body.dump()
    await (await request(`${origins[0]}`, { dispatcher: byTenant })).body.dump()
    expect(limit.snapshot().keys.map((one) => one.key)).toEqual([...origins, 'x', null])
  })

  it.each(['request', 'fetch'])('passes errors on, and tells the limiter, through %s', async (by) => {
    const origin = await serve((incoming) => incoming.socket.destroy())
    const { limit, outcomes } = watched(2)
    const dispatcher = dispatcherOf(limitInterceptor(limit))
    const made = by === 'fetch' ? fetch(origin, { dispatcher }) : request(origin, { dispatcher })
    await expect(made).rejects.toThrow(by === 'fetch' ? 'fetch failed' : 'other side closed')
    expect(outcomes).toMatchObject([{ threw: true, error: { code: 'UND_ERR_SOCKET' } }])
    expect(limit.snapshot().inFlight).toBe(0)
  })

  it('gives the place of an aborted request free', async () => {
    const { origin, arrived } = await holding()
    const { limit, outcomes } = watched(1)
    const dispatcher = dispatcherOf(limitInterceptor(limit))
    const stop = new AbortController()
    const made = request(origin, { dispatcher, signal: stop.signal })
    await arrived(1)
    stop.abort()
    await expect(made).rejects.toThrow('aborted')
    expect(limit.snapshot().inFlight).toBe(0)
    expect(outcomes).toMatchObject([{ threw: true }])
  })

  it('counts a request until its body has come where that is asked for', async () => {
    const { origin, held, arrived } = await holding()
    for (const [until, inFlight] of [['headers', 0], ['body', 1]] as const) {
      const limit = limiter()
      const made = request(origin, { dispatcher: dispatcherOf(limitInterceptor(limit, { until })) })
      await arrived(held.length + 1)
      held.at(-1)?.write('some')
      const { body } = await made
      await settle()
      expect([until, limit.snapshot().inFlight]).toEqual([until, inFlight])
      held.at(-1)?.end('more')
      expect(await body.text()).toBe('somemore')
      expect(limit.snapshot().inFlight).toBe(0)
    }
  }) // biome-ignore format: a table

  it('is asked for every attempt of a retry interceptor around it', async () => {
    let asked = 0
    const origin = await serve((_request, response) => {
      asked += 1
      response.writeHead(asked < 3 ? 500 : 200).end(`${asked}`)
    })
    const { limit, outcomes } = watched(4)
    const dispatcher = dispatcherOf(limitInterceptor(limit), interceptors.retry({ minTimeout: 1, maxTimeout: 2 }))
    const { statusCode, body } = await request(origin, { dispatcher })
    expect([statusCode, await body.text()]).toEqual([200, '3'])
    expect(outcomes.map((ended) => (ended as { result: { statusCode: number } }).result.statusCode)).toEqual([
      500, 500, 200,
    ])
  })

  it('hands a refusal to the request', async () => {
    const { origin, arrived } = await holding()
    const dispatcher = dispatcherOf(limitInterceptor(limiter({ maxWaiting: 0 })))
    const first = request(origin, { dispatcher }).catch(() => null)
    await arrived(1)
    await expect(request(origin, { dispatcher })).rejects.toMatchObject({ code: 'HG_OVERLOADED' })
    await expect(fetch(origin, { dispatcher })).rejects.toMatchObject({ cause: { code: 'HG_OVERLOADED' } })
    void first
  })

  it('hears of a dispatcher that is closed', async () => {
    const agent = new Agent()
    const limit = limiter()
    const dispatcher = agent.compose(limitInterceptor(limit))
    await agent.destroy()
    await expect(request('http://127.0.0.1:1', { dispatcher })).rejects.toThrow('The client is destroyed')
    expect(limit.snapshot().inFlight).toBe(0)
  })

  it('works on a client, and around upgrades', async () => {
    const origin = await serve(
      (_request, response) => response.end('plain'),
      (socket) => socket.end('HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: odd\r\n\r\n'),
    )
    const { limit, outcomes } = watched(1)
    const client = new Client(origin)
    closing.push(() => client.destroy())
    const composed = client.compose(limitInterceptor(limit))
    const { body } = await composed.request({ path: '/', method: 'GET' })
    expect(await body.text()).toBe('plain')
    const { socket } = await composed.upgrade({ path: '/', method: 'GET', protocol: 'odd' })
    socket.destroy()
    await settle()
    expect(outcomes).toMatchObject([{ result: { statusCode: 200 } }, { result: { statusCode: 101 } }])
    expect(limit.snapshot().inFlight).toBe(0)
  })

  it('refuses what is no limiter', () => {
    expect(() => limitInterceptor({} as Limit)).toThrow('limitInterceptor: expected what `limiter()` made')
    const until = 'end' as 'body'
    expect(() => limitInterceptor(limiter(), { until })).toThrow("expected 'headers' or 'body', got \"end\" (string)")
  })
})

describe('handlers', () => {
  type Steps = Record<string, (...given: never[]) => unknown>
  const runs = async (handler: object, dispatch: (handler: Steps) => void) => {
    const { limit, outcomes } = watched(1)
    const intercepted = limitInterceptor(limit)((_request: object, given: object) => {
      dispatch(given as Steps)
      return true
    })
    expect(intercepted({ origin: 'http://x' }, handler)).toBe(true)
    await settle()
    return { outcomes, inFlight: limit.snapshot().inFlight }
  }

  it('of the older kind are listened to by their names, with headers as bytes', async () => {
    const seen: unknown[] = []
    const handler = {
      onConnect: () => seen.push('connect'),
      onHeaders: (status: number) => seen.push(status) > 0,
      onData: () => true,
      onComplete: () => seen.push('complete'),
      onError: () => seen.push('error'),
    }
    const { outcomes, inFlight } = await runs(handler, (steps) => {
      expect(steps['onRequestStart']).toBeUndefined()
      steps['onConnect']?.()
      expect(steps['onHeaders']?.(...([100, []] as never[]))).toBe(true)
      steps['onHeaders']?.(...([429, [Buffer.from('Retry-After'), Buffer.from('5')]] as never[]))
      steps['onComplete']?.()
    })
    expect(seen).toEqual(['connect', 100, 429, 'complete'])
    expect(outcomes).toMatchObject([{ threw: false, result: { statusCode: 429 } }])
    expect(inFlight).toBe(0)
  })

  it('of the older kind may be upgraded', async () => {
    const { outcomes, inFlight } = await runs({ onConnect: () => {}, onUpgrade: () => {} }, (steps) => {
      steps['onUpgrade']?.(...([101, [], null] as never[]))
    })
    expect([outcomes, inFlight]).toMatchObject([[{ result: { statusCode: 101 } }], 0])
  })

  it('that leave steps out are listened to even so, and keep their private fields', async () => {
    class Own {
      #started = 0
      onRequestStart(): void {
        this.#started += 1
      }
      onResponseError(): void {}
      get started(): number {
        return this.#started
      }
    }
    const handler = new Own()
    const { outcomes, inFlight } = await runs(handler, (steps) => {
      steps['onRequestStart']?.()
      steps['onResponseStart']?.(...([null, 200, {}] as never[]))
      steps['onResponseEnd']?.(...([null, {}] as never[]))
    })
    expect([handler.started, inFlight, outcomes.length]).toEqual([1, 0, 1])
  })

  it('hear of what dispatching throws', async () => {
    const seen: unknown[] = []
    const error = new Error('no')
    const { inFlight } = await runs({ onRequestStart: () => {}, onResponseError: (_: null, thrown: unknown) => seen.push(thrown) }, () => {
      throw error
    })
    expect([seen, inFlight]).toEqual([[error], 0])
  })
}) // biome-ignore format: steps in rows
