/** Strangers who send slowly: each is cut off within seconds, and others are served meanwhile. */
import { expect, test } from 'vitest'
import { drip, openWorld } from './world.ts'

test('slow headers are cut off, and others are served meanwhile', async () => {
  const world = await openWorld()
  const port = Number(new URL(world.console.origin).port)
  const slow = Array.from({ length: 20 }, () => drip(port, 'GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\n'))
  expect((await world.script('/status')).status).toBe(200)
  const answers = await Promise.all(slow)
  for (const answer of answers) expect(answer).toMatch(/^HTTP\/1\.1 408 /)
})

test('a slow body is cut off', async () => {
  const world = await openWorld()
  const port = Number(new URL(world.console.origin).port)
  const head = [
    'POST /control HTTP/1.1',
    'Host: 127.0.0.1',
    `Authorization: Bearer ${world.console.token}`,
    'Content-Type: application/json',
    'Content-Length: 1000',
    '',
    '{',
  ].join('\r\n')
  await drip(port, head)
  expect(world.running.status().state).toBe('running')
})
