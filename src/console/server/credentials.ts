/**
 * Who may look and who may change: a random token for scripts, and a session for the browser that showed the token once.
 * The session is a secret derived from it that does not give it away, in a cookie that scripts of the page cannot read and that other sites cannot send.
 * `gate.ts` asks; nothing else knows the secrets. Secrets are compared in constant time.
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/** How a request showed that it may. */
export type Proof = 'token' | 'session'

export class Credentials {
  readonly token: string
  /** Of the token, so that a page of a process with a token of its own outlives a restart. */
  readonly #session: string
  readonly #tokenHash: Buffer
  readonly #sessionHash: Buffer

  /** `token`: one of the user's own, else a random one. */
  constructor(token: string | null) {
    this.token = token ?? secret()
    this.#session = createHmac('sha256', this.token).update('headgate console session').digest('base64url')
    this.#tokenHash = hash(this.token)
    this.#sessionHash = hash(this.#session)
  }

  /** How the request proves that it may look, or null. `port`: where it came in. */
  proofOf(request: IncomingMessage, port: number): Proof | null {
    const bearer = /^Bearer ([\w~+/.=-]{1,512})$/i.exec(request.headers.authorization ?? '')
    if (bearer !== null) return same(bearer[1] as string, this.#tokenHash) ? 'token' : null
    const cookie = cookieOf(request.headers.cookie ?? '', cookieName(port))
    return cookie !== null && same(cookie, this.#sessionHash) ? 'session' : null
  }

  /** The `Set-Cookie` of a browser that has shown the token. Cookies are shared by all ports of a host: the name tells them apart. */
  sessionCookie(port: number): string {
    return `${cookieName(port)}=${this.#session}; Path=/; HttpOnly; SameSite=Strict`
  }
}

function secret(): string {
  return randomBytes(32).toString('base64url')
}

function hash(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function same(given: string, expected: Buffer): boolean {
  return timingSafeEqual(hash(given), expected)
}

function cookieName(port: number): string {
  return `headgate_${port}`
}

function cookieOf(header: string, name: string): string | null {
  for (const pair of header.split(';')) {
    const at = pair.indexOf('=')
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim()
  }
  return null
}
