/** Open pages, in a process of their own: each reads its events and throws them away. Started by `sides.ts`. */
import { type ClientRequest, get } from 'node:http'

const open = new Set<ClientRequest>()

function openOne(origin: string, token: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const page = get(`${origin}/events`, { headers: { authorization: `Bearer ${token}` }, agent: false }, (events) => {
      events.on('error', () => {})
      events.once('data', () => resolve())
      events.resume()
    })
    page.once('error', reject)
    page.on('error', () => {})
    open.add(page)
  })
}

process.on('message', (message) => {
  const { count, origin, token } = message as { count: number; origin: string; token: string }
  for (const page of open) page.destroy()
  open.clear()
  Promise.all(Array.from({ length: count }, () => openOne(origin, token))).then(
    () => process.send?.('ready'),
    (error: unknown) => process.send?.(String(error)),
  )
})
process.once('disconnect', () => process.exit(0))
