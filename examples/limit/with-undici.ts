/** Every request of an undici dispatcher, `fetch` included, with a limit for each origin; each retry goes through it. */
import { limiter, limitInterceptor } from 'headgate/limit'
import { Agent, interceptors, request } from 'undici'

export async function withUndici(origin: string) {
  const limit = limiter({ max: 512 })
  const dispatcher = new Agent().compose(
    limitInterceptor(limit),
    interceptors.retry({ minTimeout: 50, statusCodes: [429, 503] }),
  )
  const responses = await Promise.all(
    Array.from({ length: 200 }, (_, at) => request(`${origin}/orders/${at}`, { dispatcher })),
  )
  await Promise.all(responses.map(({ body }) => body.dump()))
  await dispatcher.close()
  return {
    answered: responses.filter(({ statusCode }) => statusCode === 200).length,
    keys: limit.snapshot().keys.map(({ key }) => key),
  }
}
