/**
 * The line to the pipeline: trades the link's token for a session, fetches the history once, then listens to two looks a
 * second and says at once when they stay away. It tries again by itself for as long as the page is open; after a restart
 * of the pipeline the old session is worth nothing, and that is said too.
 */
import type { ConsoleTick, ControlAnswer, ControlRequest, HistoryDocument, RefusalDocument } from '../documents.ts'

export type Line =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'live' }
  | { readonly kind: 'lost'; readonly sinceMs: number }
  | { readonly kind: 'refused'; readonly hadBeenLive: boolean }

export interface Listener {
  line(line: Line): void
  history(history: HistoryDocument): void
  tick(tick: ConsoleTick): void
}

/** Looks come every half second; after this long without one the line counts as lost. */
const SILENCE_MS = 3_000
const RETRY_MS = 1_500

export class Connection {
  readonly #listener: Listener
  #events: EventSource | undefined
  #heardMs = 0
  #hadBeenLive = false
  #lost = false
  #retry: number | undefined

  constructor(listener: Listener) {
    this.#listener = listener
    window.setInterval(() => this.#watch(), 500)
  }

  async open(): Promise<void> {
    window.clearTimeout(this.#retry)
    try {
      await exchangeToken()
      const answer = await fetch('/history')
      if (answer.status === 401) {
        this.#refused()
        return
      }
      if (!answer.ok) throw new Error(`the history was answered with ${answer.status}`)
      this.#listener.history((await answer.json()) as HistoryDocument)
      this.#listen()
    } catch {
      this.#fail()
    }
  }

  #listen(): void {
    const events = new EventSource('/events')
    this.#events = events
    this.#heardMs = performance.now()
    events.addEventListener('tick', (event: MessageEvent<string>) => {
      this.#heardMs = performance.now()
      this.#hadBeenLive = true
      this.#lost = false
      this.#listener.line({ kind: 'live' })
      this.#listener.tick(JSON.parse(event.data) as ConsoleTick)
    })
    events.onerror = () => this.#fail()
  }

  /** A line that was cut says so by an error; one that hangs is noticed here. */
  #watch(): void {
    if (this.#events && performance.now() - this.#heardMs > SILENCE_MS) this.#fail()
  }

  #fail(): void {
    this.#close()
    if (!this.#lost) {
      this.#lost = true
      this.#listener.line({ kind: 'lost', sinceMs: Date.now() })
    }
    window.clearTimeout(this.#retry)
    this.#retry = window.setTimeout(() => void this.open(), RETRY_MS)
  }

  #refused(): void {
    this.#close()
    this.#listener.line({ kind: 'refused', hadBeenLive: this.#hadBeenLive })
  }

  #close(): void {
    this.#events?.close()
    this.#events = undefined
  }
}

/** The link carries the token behind `#`, where it is sent to nobody. It leaves the address bar once it has been traded in. */
async function exchangeToken(): Promise<void> {
  const token = new URLSearchParams(location.hash.slice(1)).get('token')
  if (token === null) return
  const answer = await fetch('/session', { method: 'POST', headers: { authorization: `Bearer ${token}` } })
  if (answer.ok || answer.status === 401) history.replaceState(null, '', location.pathname)
}

/** Asks for a change; throws with the server's own words when it was refused. */
export async function control(request: ControlRequest): Promise<ControlAnswer> {
  let answer: Response
  try {
    answer = await fetch('/control', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(request),
    })
  } catch {
    throw new Error('The pipeline cannot be reached; nothing was sent.')
  }
  if (answer.ok) return (await answer.json()) as ControlAnswer
  const refusal = (await answer.json().catch(() => null)) as RefusalDocument | null
  throw new Error(refusal?.error.message ?? `The change was answered with ${answer.status}.`)
}
