/**
 * Decides whether a request may pass: the address it was sent to (DNS rebinding), where it comes from (another site, another
 * port), and its proof. Called by the router before anything is done. Invariant: a browser that was led here by any page
 * but ours can neither read nor change anything, whatever cookies it sends.
 */
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import type { Credentials, Proof } from './credentials.ts'
import { Refusal } from './refusal.ts'

/** What a route asks for: nothing, a look, or a change. */
export type Need = 'open' | 'look' | 'change'

export class Gate {
  readonly #credentials: Credentials
  readonly #hosts: ReadonlySet<string>

  /** `hosts`: names that this console may be called by, beside `localhost` and addresses. */
  constructor(credentials: Credentials, hosts: readonly string[]) {
    this.#credentials = credentials
    this.#hosts = new Set(['localhost', ...hosts.map((host) => host.toLowerCase())])
  }

  /** Throws the refusal, or returns the proof that was given; null where none is needed and none was given. */
  check(request: IncomingMessage, need: Need): Proof | null {
    if (need === 'open') return null
    const host = this.#checkHost(request)
    checkOrigin(request, host)
    const proof = this.#credentials.proofOf(request, request.socket.localPort ?? 0)
    if (proof === null) {
      throw new Refusal(
        401,
        'unauthorised',
        'this needs the token, and there was none or a wrong one. Open the link that the pipeline printed at its start, or send the token in the header Authorization, after the word Bearer and a blank',
      )
    }
    // A browser says where a change comes from. Without that the cookie is no proof of intent.
    if (need === 'change' && proof === 'session' && request.headers.origin === undefined) {
      throw new Refusal(403, 'forbidden', 'a change from a browser must carry its Origin')
    }
    return proof
  }

  /** The name or address that the request was sent to. A name that is not ours is somebody's trick with DNS. */
  #checkHost(request: IncomingMessage): string {
    const { host = '' } = request.headers
    const given = request.rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'host').length
    const name = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/i.exec(host)
    const bare = (name?.[1] ?? name?.[2] ?? '').toLowerCase()
    // An address cannot be rebound: whoever the browser believes to talk to is who it talks to.
    if (given === 1 && (isIP(bare) !== 0 || this.#hosts.has(bare))) return host
    throw new Refusal(
      403,
      'forbidden',
      'the console does not answer to this host name; start it with the name among `allowedHosts` (`--console-host NAME`)',
    )
  }
}

/** Browsers tell which page a request comes from; what does not come from ours is refused. Scripts say nothing here. */
function checkOrigin(request: IncomingMessage, host: string): void {
  const { origin } = request.headers
  const site = request.headers['sec-fetch-site']
  const ours = origin === undefined || origin === `http://${host}` || origin === `https://${host}`
  const near = site === undefined || site === 'same-origin' || (site === 'none' && origin === undefined)
  if (ours && near) return
  throw new Refusal(403, 'forbidden', 'the request comes from a page that is not this console')
}
