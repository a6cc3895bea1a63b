/** What the console answers: the documents, the changes with their confirmation and audit line, and the probes. */
import type { Logger } from 'headgate'
import { describe, expect, test, vi } from 'vitest'
import type { ConsoleTick, ControlAnswer, HistoryDocument } from '../../../src/console/documents.ts'
import type { Profile } from '../../../src/model/diagnosis.ts'
import { SILENT_LOGGER } from '../../../src/model/logger.ts'
import { statusSchema } from '../../../src/runtime/status-schema.ts'
import { sampleDiagnosis } from '../sample-diagnosis.ts'
import { change, openWorld, type World } from './world.ts'

async function json<T>(answer: Promise<{ status: number; body: string }>): Promise<T> {
  const { status, body } = await answer
  expect(status, body).toBe(200)
  return JSON.parse(body) as T
}

/** Until it holds; the test's own time-out is the limit. */
async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20))
}

describe('documents', () => {
  test('status, diagnosis, limits and autoscale are those of the pipeline', async () => {
    const { script, running } = await openWorld()
    const status = await json<unknown>(script('/status'))
    expect(statusSchema.parse(status)).toMatchObject({ pipeline: 'orders', state: 'running' })
    expect(await json(script('/diagnosis'))).toEqual(JSON.parse(JSON.stringify(sampleDiagnosis())))
    expect(await json(script('/limits'))).toEqual(running.limits())
    expect(await json(script('/autoscale'))).toEqual(sampleDiagnosis().autoscale)
  })

  test('the history gets a sample a second and one span for a verdict that stays', async () => {
    const { script } = await openWorld()
    let history = await json<HistoryDocument>(script('/history'))
    await until(async () => {
      history = await json<HistoryDocument>(script('/history'))
      return history.atMs.length >= 2
    })
    for (const column of Object.values(history.flow)) expect(column).toHaveLength(history.atMs.length)
    expect(history.stages['enrich']?.limit).toEqual(history.atMs.map(() => 2))
    expect(history.flow.latencyP50Ms.every((value) => value === null)).toBe(true)
    expect(history.verdicts).toHaveLength(1)
  })

  test('an open page hears ticks, and each is the whole picture', async () => {
    const { console } = await openWorld()
    const response = await fetch(`${console.origin}/events`, {
      headers: { authorization: `Bearer ${console.token}` },
    })
    expect(response.headers.get('content-type')).toContain('text/event-stream')
    let text = ''
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      text += Buffer.from(chunk).toString('utf8')
      if (text.split('\n\n').length > 3) break
    }
    const ticks = text
      .split('\n\n')
      .slice(0, 3)
      .map((event) => {
        const [name, data] = event.split('\n')
        expect(name).toBe('event: tick')
        return JSON.parse((data as string).slice('data: '.length)) as ConsoleTick
      })
    for (const tick of ticks) {
      expect(statusSchema.parse(tick.status).pipeline).toBe('orders')
      expect(tick.diagnosis.schema).toBe(1)
      expect(tick.limits.stages['enrich']?.concurrency).toBe(2)
    }
    expect(ticks[2]!.status.nowMs).toBeGreaterThan(ticks[0]!.status.nowMs)
  })

  test('whoever asks for the head of the events has an answer that ends, and no page', async () => {
    const { script } = await openWorld()
    const heads = Array.from({ length: 40 }, () => script('/events', { method: 'HEAD' }))
    for (const { status, headers } of await Promise.all(heads)) {
      expect(status).toBe(200)
      expect(headers['content-type']).toContain('text/event-stream')
    }
  })

  test('a profile is taken when it is asked for, and by nobody without the token', async () => {
    const { ask, script } = await openWorld()
    expect((await ask('/profile', { method: 'POST' })).status).toBe(401)
    const profile = await json<Profile>(script('/profile', { method: 'POST' }))
    expect(profile.durationMs).toBeGreaterThan(0)
    expect(profile.foreignShare).toBeLessThanOrEqual(1)
  })

  test('what is not there is said, with what is', async () => {
    const { script } = await openWorld()
    const missing = await script('/nowhere')
    expect(missing.status).toBe(404)
    expect(missing.body).toContain('GET /status')
    expect((await script('/status', { method: 'DELETE' })).status).toBe(405)
    expect((await script('/../package.json')).status).toBe(404)
    expect((await script('/page/%2e%2e/index.html')).status).toBe(404)
  })
})

describe('changes', () => {
  function logged(): { log: Logger; lines: [object, string][] } {
    const lines: [object, string][] = []
    return { lines, log: { ...SILENT_LOGGER, warn: (fields, sentence) => lines.push([fields, sentence]) } }
  }

  test('a limit is changed once it is confirmed, and an audit line says so', async () => {
    const { log, lines } = logged()
    const { script, running } = await openWorld({ log })
    const asked = { action: 'stage', stage: 'enrich', concurrency: 9, timeoutMs: 1_500, confirm: 'enrich' }
    const { done } = await json<ControlAnswer>(script('/control', change(asked)))
    expect(running.limits().stages['enrich']).toEqual({ concurrency: 9, perSecond: null, timeoutMs: 1_500 })
    expect(done).toMatchObject({
      action: 'stage',
      stage: 'enrich',
      change: 'concurrency 9, timeoutMs 1500',
      before: 'concurrency 2, timeoutMs 60000',
      by: expect.stringMatching(/^script at 127\.0\.0\.1$/),
    })
    expect(lines).toHaveLength(1)
    expect(lines[0]?.[0]).toMatchObject({ audit: true, action: 'stage', stage: 'enrich' })
    await until(() => running.status().stages.some(({ name, limit }) => name === 'enrich' && limit === 9))
  })

  test('admission, pause, resume and drain', async () => {
    const { script, running } = await openWorld()
    const confirm = 'orders'
    await json(script('/control', change({ action: 'admission', records: 55, confirm })))
    expect(running.limits().admission.records).toBe(55)
    await json(script('/control', change({ action: 'pause', confirm })))
    expect(running.status().state).toBe('paused')
    await json(script('/control', change({ action: 'resume', confirm })))
    expect(running.status().state).toBe('running')
    await json(script('/control', change({ action: 'drain', confirm })))
    expect(running.status().state).toBe('draining')
    const again = await script('/control', change({ action: 'pause', confirm }))
    expect(again.status).toBe(409)
    expect(again.body).toContain('draining')
  })

  test.each<[unknown, number, string]>([
    [{ action: 'pause' }, 400, 'confirm'],
    [{ action: 'pause', confirm: 'enrich' }, 400, "the name of the pipeline, 'orders'"],
    [{ action: 'stage', stage: 'enrich', concurrency: 9, confirm: 'orders' }, 400, "the name of the stage, 'enrich'"],
    [{ action: 'stage', stage: 'enrich', confirm: 'enrich' }, 400, 'no limit is given'],
    [{ action: 'stage', stage: 'enrihc', concurrency: 9, confirm: 'enrihc' }, 400, "no call stage 'enrihc'"],
    [{ action: 'stage', stage: 'enrich', concurrency: 0, confirm: 'enrich' }, 400, 'expected an integer from 1'],
    [{ action: 'stage', stage: 'enrich', concurrency: 'x', confirm: 'enrich' }, 400, '`concurrency`'],
    [{ action: 'stage', stage: 'enrich', concurrency: 9, retries: 1, confirm: 'enrich' }, 400, 'retries'],
    [{ action: 'stage', stage: '__proto__', concurrency: 9, confirm: '__proto__' }, 400, 'no call stage'],
    [{ action: 'explode', confirm: 'orders' }, 400, 'action'],
    [null, 400, 'nothing was changed'],
  ])('refuses %j and changes nothing', async (asked, code, words) => {
    const { log, lines } = logged()
    const { script, running } = await openWorld({ log })
    const before = running.limits()
    const { status, body } = await script('/control', change(asked))
    expect([status, body]).toEqual([code, expect.stringContaining(words)])
    expect(running.limits()).toEqual(before)
    expect(running.status().state).toBe('running')
    expect(lines).toEqual([])
  })

  test('refuses what is not JSON, says that it is not, or is too long', async () => {
    const { script } = await openWorld()
    const body = JSON.stringify({ action: 'pause', confirm: 'orders' })
    expect((await script('/control', { method: 'POST', body })).status).toBe(415)
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    expect((await script('/control', { method: 'POST', body, headers: form })).status).toBe(415)
    expect((await script('/control', change('x'.repeat(5_000)))).status).toBe(413)
    const broken = { method: 'POST', body: '{"action":', headers: { 'content-type': 'application/json' } }
    expect((await script('/control', broken)).status).toBe(400)
  })
})

describe('probes', () => {
  const probes = async ({ ask }: World): Promise<number[]> =>
    Promise.all(['/healthz', '/readyz'].map(async (path) => (await ask(path)).status))

  test('are open, and a pipeline that is paused is ready', async () => {
    const world = await openWorld()
    expect(await probes(world)).toEqual([200, 200])
    world.running.pause()
    expect(await probes(world)).toEqual([200, 200])
  })

  test('one that drains is alive and not ready', async () => {
    const world = await openWorld()
    void world.running.drain()
    expect(await probes(world)).toEqual([200, 503])
  })

  test('one in which nothing moves is not alive', async () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    try {
      const world = await openWorld({ stalledAfterMs: 5_000 })
      await until(() => world.running.status().records.inFlight > 0)
      await until(async () => {
        vi.advanceTimersByTime(1_000)
        return (await world.ask('/healthz')).status === 503
      })
      expect((await world.ask('/healthz')).body).toMatch(/stalled: \d records? in flight and nothing has moved/)
    } finally {
      vi.useRealTimers()
    }
  })
})
