/** What RateLimit (or X-RateLimit) headers say of a quota, whatever the answer was. Shared by handlers and limiters. */
export interface RateLimitFigures {
  /** Calls that one count allows. */
  readonly limit?: number | undefined
  /** Calls that are left of it. */
  readonly remaining?: number | undefined
  /** Ms from now until it begins anew. */
  readonly resetMs?: number | undefined
}
