/**
 * Serves the built page with figures made up here, so that it can be looked at in states that a real pipeline takes long
 * to reach: `npx tsx tests/console/page/preview.ts overload` prints its address. Headers and paths are the console's.
 */
import { readFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import {
  type ConsoleTick,
  FLOW_SERIES,
  type FlowSeries,
  type HistoryDocument,
  type OptionsDocument,
  type VerdictSpan,
} from '../../../src/console/documents.ts'
import type { Diagnosis } from '../../../src/model/diagnosis.ts'
import { overloadedDiagnosis, sampleDiagnosis } from '../sample-diagnosis.ts'
import { sampleStatus } from '../sample-status.ts'

export const PAGE_FOLDER = fileURLToPath(new URL('../../../dist/console/page/', import.meta.url))

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
}
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
const SAMPLES = 840
const OPTIONS: OptionsDocument = {
  parts: [
    { part: 'pipeline', name: 'payment-enrichment', kind: 'pipeline', options: { 'admission.bytes': 67_108_864 } },
    { part: 'source', name: 'payments', kind: 'source', options: { brokers: 'kafka-1:9092', 'sasl.password': '***' } },
    { part: 'stage', name: 'fraud', kind: 'call', options: { timeoutMs: 2_000, order: 'key', rate: null } },
    { part: 'sink', name: 'enriched', kind: 'memory', options: {} },
  ],
}

export interface Preview {
  readonly url: string
  /** What the next looks say. */
  show(diagnosis: Diagnosis, change?: (tick: ConsoleTick) => ConsoleTick): void
  /** Cuts every line and takes no new one, until `restore`. */
  cut(): void
  restore(): void
  close(): Promise<void>
}

export async function startPreview(first: Diagnosis): Promise<Preview> {
  const startMs = Date.now() - SAMPLES * 1000
  let diagnosis = first
  let change = (tick: ConsoleTick): ConsoleTick => tick
  let down = false
  const pages = new Set<ServerResponse>()

  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0] as string
    if (down) {
      request.socket.destroy()
    } else if (path === '/events') {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      pages.add(response)
      response.once('close', () => pages.delete(response))
      send(response)
    } else if (path === '/options') {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(OPTIONS))
    } else if (path === '/history') {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(history(startMs, diagnosis)))
    } else {
      const name = path === '/' ? 'index.html' : path.slice(1)
      const type = TYPES[name.split('.').at(-1) as string]
      if (!type || !/^[a-z.]+$/.test(name)) response.writeHead(404).end()
      else
        response
          .writeHead(200, { 'content-type': type, 'content-security-policy': POLICY })
          .end(readFileSync(PAGE_FOLDER + name))
    }
  })
  const send = (page: ServerResponse): void => {
    page.write(`event: tick\ndata: ${JSON.stringify(change(tickOf(startMs, diagnosis)))}\n\n`)
  }
  const timer = setInterval(() => pages.forEach(send), 500)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    show(next, changed = (tick) => tick) {
      diagnosis = next
      change = changed
    },
    cut() {
      down = true
      server.closeAllConnections()
    },
    restore() {
      down = false
    },
    close() {
      clearInterval(timer)
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

function tickOf(startMs: number, diagnosis: Diagnosis): ConsoleTick {
  const nowMs = Date.now()
  const seconds = Math.round((nowMs - startMs) / 1000)
  const sample = sampleStatus(seconds)
  const status = { ...sample, admission: { ...sample.admission, limitRecords: 1_667 }, startedAtMs: startMs, nowMs }
  const moved = nowMs - diagnosis.atMs
  return {
    status,
    diagnosis: {
      ...diagnosis,
      atMs: nowMs,
      verdict: { ...diagnosis.verdict, sinceMs: diagnosis.verdict.sinceMs + moved },
      lastFailures: diagnosis.lastFailures.map((failure) => ({ ...failure, atMs: failure.atMs + moved })),
    },
    limits: {
      admission: {
        records: 10_000,
        bytes: 67_108_864,
        residenceMs: 5_000,
        maxRecordBytes: 1_048_576,
        uncommittedRecords: 20_000,
      },
      stages: { fraud: { concurrency: 512, perSecond: 333.3, timeoutMs: 2_000 } },
    },
    sample: { atMs: startMs + seconds * 1000, flow: figuresAt(seconds, diagnosis), stages: {} },
    verdicts: spans(startMs, diagnosis, nowMs).slice(-1),
    audit: [
      {
        atMs: startMs + 600_000,
        action: 'stage',
        stage: 'fraud',
        change: 'concurrency 512',
        before: 'concurrency 64',
        by: 'page at 127.0.0.1',
      },
      { atMs: startMs + 590_000, action: 'resume', stage: null, change: '', before: 'paused', by: 'page at 127.0.0.1' },
    ],
  }
}

/** A calm start, a burst from the third minute on, a pause of half a minute in the ninth. */
function figuresAt(second: number, { flow }: Diagnosis): Record<FlowSeries, number | null> {
  const wave = Math.sin(second / 7) * 4 + Math.sin(second / 2.3) * 2
  const calm = second < 180
  const paused = second > 540 && second < 570
  const done = paused ? 0 : (calm ? 210 : flow.completionPerSecond) + wave
  const figures: Partial<Record<FlowSeries, number | null>> = {
    inPerSecond: paused ? 0 : Math.max(0, done + Math.sin(second / 3) * 12),
    donePerSecond: Math.max(0, done),
    failedPerSecond: second % 97 === 0 ? 3 : 0,
    latencyP50Ms: paused ? null : (calm ? 180 : 1_200) + wave * 20,
    latencyP99Ms: paused ? null : (calm ? 420 : 3_100) + wave * 60,
    queueAgeMs: calm ? 400 : (second - 180) * 290,
    backlogRecords: calm ? 12 : (second - 180) * 1_333,
    inFlight: calm ? 60 : 1_204 + wave * 10,
    admissionLimit: calm ? 1_000 : 1_667,
    rssBytes: 142e6,
    loopShare: 0.12,
  }
  return Object.fromEntries(FLOW_SERIES.map((name) => [name, figures[name] ?? null])) as Record<
    FlowSeries,
    number | null
  >
}

function spans(startMs: number, { health, verdict }: Diagnosis, nowMs: number): VerdictSpan[] {
  const span = (from: number, until: number, given: Partial<VerdictSpan>): VerdictSpan => ({
    fromMs: startMs + from * 1000,
    untilMs: until === Number.POSITIVE_INFINITY ? nowMs : startMs + until * 1000,
    health: 'keeping-up',
    bottleneck: null,
    kind: 'none',
    sentence: 'Keeping up: nothing waits for long.',
    ...given,
  })
  const present = { health: health.kind, bottleneck: verdict.bottleneck, kind: verdict.kind, sentence: health.sentence }
  return [
    span(0, 182, {}),
    span(182, 540, present),
    span(540, 570, { health: 'paused', sentence: 'Paused.' }),
    span(570, Number.POSITIVE_INFINITY, present),
  ]
}

function history(startMs: number, diagnosis: Diagnosis): HistoryDocument {
  const seconds = Array.from({ length: SAMPLES }, (_, second) => second)
  const rows = seconds.map((second) => figuresAt(second, diagnosis))
  const columns = Object.fromEntries(
    FLOW_SERIES.map((name): [FlowSeries, (number | null)[]] => [name, rows.map((row) => row[name])]),
  ) as Record<FlowSeries, (number | null)[]>
  return {
    intervalMs: 1000,
    capacity: 900,
    atMs: seconds.map((second) => startMs + second * 1000),
    flow: columns,
    stages: {},
    verdicts: spans(startMs, diagnosis, Date.now()),
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const preview = await startPreview(process.argv[2] === 'overload' ? overloadedDiagnosis() : sampleDiagnosis())
  process.stdout.write(`${preview.url}\n`)
}
