/** Requests that must change nothing and tell nothing: wrong host, other origin, no proof, too much, too slow. */
import { describe, expect, test } from 'vitest'
import { change, openWorld, raw, type Said, send, type World } from './world.ts'

const PAUSE = { action: 'pause', confirm: 'orders' }
const LIMIT = { action: 'stage', stage: 'enrich', concurrency: 77, confirm: 'enrich' }
const SECRETS = ['/status', '/diagnosis', '/history', '/limits', '/events', '/metrics', '/autoscale']

function cookieOf({ headers }: Said): string {
  return (headers['set-cookie']?.[0] ?? '').split(';', 1)[0] as string
}

/** As a browser of the page: same origin, with the cookie that it was given for the token. */
async function signedIn({ console, script }: World): Promise<{ cookie: string; origin: string }> {
  const answer = await script('/session', { method: 'POST', headers: { origin: console.origin } })
  expect(answer.status).toBe(204)
  return { cookie: cookieOf(answer), origin: console.origin }
}

async function expectUnchanged({ running }: World, attack: () => Promise<Said>): Promise<Said> {
  const before = running.limits()
  const said = await attack()
  expect(said.status).toBeGreaterThanOrEqual(400)
  expect(said.status).toBeLessThan(500)
  expect(running.limits()).toEqual(before)
  expect(running.status().state).toBe('running')
  return said
}

describe('without the token', () => {
  test.each(SECRETS)('%s tells nothing', async (path) => {
    const { ask, console } = await openWorld()
    for (const authorization of ['', 'Bearer', 'Bearer wrong', `Basic ${console.token}`, `Bearer ${console.token}x`]) {
      const { status, body, headers } = await ask(path, authorization === '' ? {} : { headers: { authorization } })
      expect(status).toBe(401)
      expect(headers['www-authenticate']).toBe('Bearer')
      expect(body).not.toContain('orders')
      // What it says must not look like a secret to the mask.
      expect(body).not.toContain('***')
    }
    expect((await ask(`${path}?token=${console.token}`)).status).toBe(401)
  })

  test('nothing can be changed, and no session begins', async () => {
    const world = await openWorld()
    await expectUnchanged(world, () => world.ask('/control', change(PAUSE)))
    await expectUnchanged(world, () => world.ask('/control', change(LIMIT, { cookie: 'headgate_1=guess' })))
    const session = await world.ask('/session', { method: 'POST' })
    expect([session.status, session.headers['set-cookie']]).toEqual([401, undefined])
  })

  test('the probes say no more than one word about the pipeline', async () => {
    const { ask } = await openWorld()
    for (const path of ['/healthz', '/readyz']) {
      expect(JSON.parse((await ask(path)).body)).toEqual({ ok: true, reason: 'running' })
    }
  })

  test('figures can be opened to scrapers on purpose', async () => {
    const { ask } = await openWorld({ openMetrics: true })
    expect((await ask('/metrics')).body).toContain('headgate_records_in_total{pipeline="orders"}')
    expect((await ask('/autoscale')).status).toBe(200)
    expect((await ask('/status')).status).toBe(401)
  })
})

describe('a page of another origin', () => {
  // What a browser sends for it cannot be chosen by the page: the cookie, Origin and Sec-Fetch-Site.
  test.each<[string, Record<string, string>]>([
    ['another site', { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }],
    ['another site, an older browser', { origin: 'https://evil.example' }],
    ['another port of this machine', { origin: 'http://127.0.0.1:1', 'sec-fetch-site': 'same-site' }],
    ['a sandboxed frame', { origin: 'null', 'sec-fetch-site': 'cross-site' }],
    ['a form that was sent without Origin', {}],
    ['an Origin that claims too little', { origin: '', 'sec-fetch-site': 'cross-site' }],
  ])('%s changes nothing, although the cookie comes along', async (_, headers) => {
    const world = await openWorld()
    const { cookie } = await signedIn(world)
    for (const asked of [PAUSE, LIMIT]) {
      const said = await expectUnchanged(world, () => world.ask('/control', change(asked, { cookie, ...headers })))
      expect(said.status).toBe(403)
    }
  })

  test('reads nothing either, and is granted nothing', async () => {
    const world = await openWorld()
    const { cookie } = await signedIn(world)
    for (const path of SECRETS) {
      const headers = { cookie, origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }
      const { status, headers: answered } = await world.ask(path, { headers })
      expect(status).toBe(403)
      expect(Object.keys(answered).filter((name) => name.startsWith('access-control'))).toEqual([])
    }
    const preflight = { 'access-control-request-method': 'POST', origin: 'https://evil.example' }
    expect((await world.ask('/control', { method: 'OPTIONS', headers: preflight })).status).toBe(405)
  })

  test('a script tag or an image of it gets nothing', async () => {
    const world = await openWorld()
    const { cookie } = await signedIn(world)
    expect((await world.ask('/status', { headers: { cookie, 'sec-fetch-site': 'cross-site' } })).status).toBe(403)
  })
})

describe('another name for this machine (DNS rebinding)', () => {
  test.each([
    'evil.example',
    'evil.example:7207',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '127.0.0.1@evil.example',
    'evil.example#127.0.0.1',
  ])('as %j it answers nothing, even to the token', async (host) => {
    const world = await openWorld()
    for (const path of SECRETS) {
      const { status, body } = await world.script(path, { headers: { host } })
      expect(status).toBeGreaterThanOrEqual(400)
      expect(body).not.toContain('orders')
    }
    await expectUnchanged(world, () => world.script('/control', change(PAUSE, { host })))
  })

  test.each([[['Host: 127.0.0.1', 'Host: evil.example']], [['Host:']], [[]]])(
    'with %j it answers nothing',
    async (hosts) => {
      const world = await openWorld()
      const { port } = new URL(world.console.origin)
      const authorization = `Authorization: Bearer ${world.console.token}`
      const answer = await raw(Number(port), [
        'GET /status HTTP/1.1',
        ...hosts,
        authorization,
        'Connection: close',
        '',
        '',
      ])
      expect(answer).toMatch(/^HTTP\/1\.1 40[03] /)
    },
  )

  test.each(['localhost', 'LOCALHOST:1234', '127.0.0.1', '[::1]:7207', '10.1.2.3:80'])(
    '%j is no trick',
    async (host) => {
      const { script } = await openWorld()
      expect((await script('/status', { headers: { host } })).status).toBe(200)
    },
  )

  test('a name that was allowed works, and its page may change things', async () => {
    const world = await openWorld({ allowedHosts: ['console.internal'] })
    const { cookie } = await signedIn(world)
    const headers = {
      cookie,
      host: 'console.internal',
      origin: 'https://console.internal',
      'sec-fetch-site': 'same-origin',
    }
    expect((await world.ask('/control', change(PAUSE, headers))).status).toBe(200)
    expect(world.running.status().state).toBe('paused')
  })
})

describe('the page itself', () => {
  test('signs in with the token, reads and changes with the cookie alone', async () => {
    const world = await openWorld()
    const { cookie, origin } = await signedIn(world)
    const headers = { cookie, 'sec-fetch-site': 'same-origin' }
    expect((await world.ask('/status', { headers })).status).toBe(200)
    expect((await world.ask('/control', change(LIMIT, { ...headers, origin }))).status).toBe(200)
    expect(world.running.limits().stages['enrich']?.concurrency).toBe(77)
  })

  test('its cookie is out of reach for scripts and other sites, and is not the token', async () => {
    const { script, console } = await openWorld()
    const answer = await script('/session', { method: 'POST' })
    const header = answer.headers['set-cookie']?.[0] ?? ''
    expect(header).toMatch(/^headgate_\d+=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/)
    expect(header).not.toContain(console.token)
  })

  test('its cookie outlives a restart only where the token does', async () => {
    const token = 'one-that-was-chosen-by-the-user'
    const before = await signedIn(await openWorld({ token }))
    const [, secret = ''] = before.cookie.split('=')
    const { ask, console } = await openWorld({ token })
    const { port } = new URL(console.origin)
    expect((await ask('/status', { headers: { cookie: `headgate_${port}=${secret}` } })).status).toBe(200)
    const other = await openWorld()
    const cookie = `headgate_${new URL(other.console.origin).port}=${secret}`
    expect((await other.ask('/status', { headers: { cookie } })).status).toBe(401)
  })

  test('a cookie begins no other session', async () => {
    const world = await openWorld()
    const { cookie, origin } = await signedIn(world)
    const asked = { method: 'POST', headers: { cookie, origin, 'sec-fetch-site': 'same-origin' } }
    expect((await world.ask('/session', asked)).status).toBe(401)
  })

  test('every answer forbids framing, sniffing, storing, and anything from elsewhere', async () => {
    const { ask, script } = await openWorld()
    for (const said of [await ask('/'), await script('/status'), await ask('/status'), await ask('/nowhere')]) {
      expect(said.headers['content-security-policy']).toMatch(/^default-src 'none'; .*frame-ancestors 'none'$/)
      expect(said.headers['content-security-policy']).not.toContain('unsafe')
      expect(said.headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'cache-control': 'no-store',
        'referrer-policy': 'no-referrer',
        'cross-origin-resource-policy': 'same-origin',
      })
    }
  })
})

describe('a stranger who wants much', () => {
  test('many or long headers are refused', async () => {
    const { script } = await openWorld()
    expect((await script('/status', { headers: { 'x-long': 'x'.repeat(20_000) } })).status).toBe(431)
    const many = Object.fromEntries(Array.from({ length: 2_000 }, (_, index) => [`x-${index}`, 'v']))
    expect((await script('/status', { headers: many })).status).toBe(431)
  })

  test('no more pages than there is room for', async () => {
    const { script, console } = await openWorld()
    const abort = new AbortController()
    const open = (): Promise<Response> =>
      fetch(`${console.origin}/events`, {
        headers: { authorization: `Bearer ${console.token}` },
        signal: abort.signal,
      })
    const pages = await Promise.all(Array.from({ length: 32 }, open))
    expect(pages.every(({ status }) => status === 200)).toBe(true)
    expect((await open()).status).toBe(503)
    expect((await script('/status')).status).toBe(200)
    abort.abort()
  })
})

describe('secrets in what others wrote', () => {
  test('are masked wherever they appear', async () => {
    const { sampleDiagnosis } = await import('../sample-diagnosis.ts')
    const canaries = [
      'connect to postgres://app:canary1@db:5432/x failed',
      'fetch failed with Authorization: Bearer canary2canary2',
      'config {"password":"canary3","apiKey": "canary4"} is wrong',
      'amqp://canary5:pw@mq refused; token=canary6&x=1',
      'SASL client_secret: canary7',
    ]
    const failures = canaries.map((message, offset) => ({
      ...{ source: 's', partition: 's/0', offset, stage: 'enrich', code: 'HG_HANDLER_FAILED', message, atMs: 1 },
    }))
    const { script } = await openWorld({ diagnosis: () => sampleDiagnosis({ lastFailures: failures }) })
    const { body } = await script('/diagnosis')
    expect(body).not.toMatch(/canary\d/)
    expect(body).toContain('connect to postgres://***@db:5432/x failed')
  })
})

test('a request that names the whole address is treated as any other', async () => {
  const { console } = await openWorld()
  const { port } = new URL(console.origin)
  const said = await raw(Number(port), [
    `GET http://evil.example/status HTTP/1.1`,
    'Host: 127.0.0.1',
    `Authorization: Bearer ${console.token}`,
    'Connection: close',
    '',
    '',
  ])
  expect(said).toMatch(/^HTTP\/1\.1 404 /)
  expect((await send(console.origin, '//evil.example/status')).status).toBe(404)
})
