/** Many pages, slow pages, and a pipeline that cannot be looked at: one look for all, bounded memory, and nothing thrown. */
import type { ServerResponse } from 'node:http'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Control } from '../../../src/console/server/control.ts'
import { Feed } from '../../../src/console/server/feed.ts'
import type { ConsoleTarget } from '../../../src/console/server/target.ts'
import { Histogram } from '../../../src/engine/histogram.ts'
import { SILENT_LOGGER } from '../../../src/model/logger.ts'
import { sampleDiagnosis } from '../sample-diagnosis.ts'
import { sampleStatus } from '../sample-status.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** As much of a response as the feed uses; `taken` false: the other side reads nothing. */
function page(taken = true) {
  const events: Buffer[] = []
  let destroyed = false
  const response = {
    writableLength: 0,
    removeHeader: () => {},
    writeHead: () => response,
    flushHeaders: () => {},
    on: () => response,
    once: () => response,
    end: () => {},
    write(event: Buffer) {
      events.push(event)
      if (!taken) response.writableLength += event.byteLength
      return true
    },
    destroy() {
      destroyed = true
    },
  }
  return { response: response as unknown as ServerResponse, events, isDestroyed: () => destroyed }
}

function open({ fails = () => false }: { fails?: () => boolean } = {}) {
  let looks = 0
  const said: string[] = []
  let seconds = 0
  const target = {
    look() {
      looks += 1
      if (fails()) throw new Error('a defect of the doctor')
      return { status: sampleStatus((seconds += 1)), diagnosis: sampleDiagnosis() }
    },
    latencies: () => ({ flow: new Histogram().copy(), stages: {} }),
    limits: () => ({ admission: {}, stages: {} }),
  } as unknown as ConsoleTarget
  const log = { ...SILENT_LOGGER, error: (_: object, text: string) => void said.push(text) }
  const feed = new Feed(target, new Control(target, log), 60_000, log)
  feed.start()
  return { feed, said, looks: () => looks }
}

test('ten pages are sent the same bytes of one look, twice a second', () => {
  const { feed, looks } = open()
  const pages = Array.from({ length: 10 }, () => page())
  for (const { response } of pages) feed.open(response)
  const before = looks()
  vi.advanceTimersByTime(5_000)
  expect(looks() - before).toBe(10)
  const [first] = pages
  for (const { events } of pages) {
    expect(events).toHaveLength(11)
    expect(events.slice(1).every((event, index) => event === first?.events[index + 1])).toBe(true)
  }
  feed.stop()
})

test('without a page it looks once a second, and serialises nothing', () => {
  const { feed, looks } = open()
  const before = looks()
  vi.advanceTimersByTime(10_000)
  expect(looks() - before).toBe(10)
  expect(feed.history.document().atMs.length).toBe(10)
  feed.stop()
})

test('a page that takes nothing is sent nothing more, and is let go in the end', () => {
  const { feed } = open()
  const [slow, quick] = [page(false), page()]
  feed.open(slow.response)
  feed.open(quick.response)
  vi.advanceTimersByTime(9_000)
  expect(slow.events).toHaveLength(1)
  expect(slow.isDestroyed()).toBe(false)
  vi.advanceTimersByTime(3_000)
  expect(slow.isDestroyed()).toBe(true)
  expect(quick.isDestroyed()).toBe(false)
  expect(quick.events.length).toBeGreaterThan(20)
  feed.stop()
})

test('a look that throws is said once, and the next one goes on', () => {
  let broken = false
  const { feed, said } = open({ fails: () => broken })
  const { response, events } = page()
  feed.open(response)
  broken = true
  vi.advanceTimersByTime(3_000)
  expect(said).toEqual([expect.stringContaining('a defect of the doctor')])
  expect(events).toHaveLength(1)
  broken = false
  vi.advanceTimersByTime(1_000)
  expect(events.length).toBeGreaterThan(1)
  feed.stop()
})

test('the history keeps 15 minutes and no more', () => {
  const { feed } = open()
  vi.advanceTimersByTime(20 * 60_000)
  const { atMs, flow, verdicts } = feed.history.document()
  expect(atMs).toHaveLength(900)
  expect(flow.donePerSecond).toHaveLength(900)
  expect(verdicts).toHaveLength(1)
  feed.stop()
})
