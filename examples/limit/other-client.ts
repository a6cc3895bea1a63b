/**
 * Around a client that speaks no HTTP: its errors have codes of their own, and `classify` says what they mean. This one
 * has the codes of gRPC; for a database it would be those of its driver.
 */
import { limiter } from 'headgate/limit'

/** Codes of gRPC: cancelled, deadline exceeded, resource exhausted, unavailable. */
const [CANCELLED, DEADLINE, EXHAUSTED, UNAVAILABLE] = [1, 4, 8, 14]

export class StoreError extends Error {
  readonly code: number

  constructor(code: number) {
    super(`the store answered with code ${code}`)
    this.code = code
  }
}

/** A client of another make, over the same API. */
export async function lookUp(origin: string, item: number): Promise<string> {
  const response = await fetch(`${origin}/items/${item}`)
  const text = await response.text()
  if (response.status === 503) throw new StoreError(EXHAUSTED)
  if (!response.ok) throw new StoreError(UNAVAILABLE)
  return text
}

export async function aroundAnotherClient(origin: string) {
  const limit = limiter({
    max: 100,
    classify({ error }) {
      if (!(error instanceof StoreError)) return undefined
      if (error.code === EXHAUSTED) return { kind: 'overloaded' }
      if (error.code === DEADLINE) return { kind: 'timeout' }
      if (error.code === CANCELLED) return { kind: 'ignored' }
      return { kind: error.code === UNAVAILABLE ? 'failed' : 'ignored' }
    },
  })
  // What the client returned or threw comes back as it is.
  const ended = await Promise.allSettled(Array.from({ length: 300 }, (_, item) => limit(() => lookUp(origin, item))))
  return { found: ended.filter(({ status }) => status === 'fulfilled').length, snapshot: limit.snapshot() }
}
