/**
 * A limit for each tenant, through one limiter: what the API says to one tenant holds up nobody else. What was found
 * is kept as JSON, so that the next start does not begin at one call at a time.
 */
import { type LimitLearned, limiter } from 'headgate/limit'

export async function perTenant(origin: string, tenants: readonly string[], saved?: string) {
  const limit = limiter({
    maxKeys: 1_000,
    learned: saved === undefined ? undefined : (JSON.parse(saved) as LimitLearned),
  })
  const calls = tenants.flatMap((tenant) =>
    Array.from({ length: 60 }, (_, at) =>
      limit(() => fetch(`${origin}/reports/${at}`, { headers: { 'x-tenant': tenant } }), { key: tenant }),
    ),
  )
  const responses = await Promise.all(calls)
  return {
    answered: responses.filter((response) => response.ok).length,
    limits: limit.snapshot().keys.map(({ key, limit: most }) => ({ key, limit: most })),
    saved: JSON.stringify(limit.learned()),
  }
}
