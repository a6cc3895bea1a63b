/**
 * The API that the examples call, in this process and on a free port: it works on a few requests at a time, answers 503
 * when too many queue, and grants each tenant so many requests a second, as its RateLimit headers say.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const SERVERS = 8
const WORK_MS = 5
const MOST_QUEUED = 16
/** One second of quota at a time; it begins anew all at once. */
const WINDOW_MS = 1000

export interface Api {
  readonly origin: string
  /** How many requests ended with each status. */
  readonly answers: Readonly<Record<number, number>>
  close(): Promise<void>
}

export async function startApi({ perSecond = Number.POSITIVE_INFINITY } = {}): Promise<Api> {
  const answers: Record<number, number> = {}
  const used = new Map<string, { fromMs: number; count: number }>()
  const queue: (() => void)[] = []
  let busy = 0

  /** Takes from the tenant's quota; what is left of it and when it begins anew. */
  const spend = (tenant: string) => {
    const nowMs = performance.now()
    let one = used.get(tenant)
    if (one === undefined || nowMs >= one.fromMs + WINDOW_MS) used.set(tenant, (one = { fromMs: nowMs, count: 0 }))
    one.count += 1
    return { left: perSecond - one.count, seconds: (one.fromMs + WINDOW_MS - nowMs) / 1000 }
  }

  const work = async (): Promise<void> => {
    if (busy < SERVERS) busy += 1
    else await new Promise<void>((resolve) => queue.push(resolve))
    await sleep(WORK_MS)
    const next = queue.shift()
    if (next === undefined) busy -= 1
    else next()
  }

  const server = createServer((request, response) => {
    const headers: Record<string, string> = { 'content-type': 'application/json' }
    const answer = (status: number): void => {
      answers[status] = (answers[status] ?? 0) + 1
      response.writeHead(status, headers).end(JSON.stringify({ path: request.url }))
    }
    if (perSecond !== Number.POSITIVE_INFINITY) {
      const { left, seconds } = spend(String(request.headers['x-tenant']))
      headers['ratelimit'] = `"tenant";r=${Math.max(0, left)};t=${seconds.toFixed(3)}`
      if (left < 0) return answer(429)
    }
    if (queue.length >= MOST_QUEUED) return answer(503)
    void work().then(() => answer(200))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')

  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answers,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
