/** Around `fetch`: 400 requests at once to an API whose capacity nobody told, each repeated while it is refused. */
import { limiter } from 'headgate/limit'

const MOST_ATTEMPTS = 8

export async function aroundFetch(origin: string): Promise<number> {
  const limit = limiter({ max: 512 })

  async function get(path: string): Promise<Response> {
    for (let attempt = 1; ; attempt += 1) {
      // The time-out is set inside, so that it does not run while the call waits for its turn. A repeated call says
      // `retry`: then it also waits for the retry budget, and the retries of many calls feed no storm.
      const response = await limit(() => fetch(origin + path, { signal: AbortSignal.timeout(2_000) }), {
        retry: attempt > 1,
      })
      const isRefused = response.status === 429 || response.status === 503
      if (!isRefused || attempt === MOST_ATTEMPTS) return response
      await response.body?.cancel()
    }
  }

  const responses = await Promise.all(Array.from({ length: 400 }, (_, at) => get(`/orders/${at}`)))
  return responses.filter((response) => response.ok).length
}
