/** Sampled traces through OpenTelemetry's own SDK: parents out of record headers, conventions, errors, and headers for what is sent on. */
import { propagation, SpanKind, SpanStatusCode } from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { type CallContext, pipeline, type RecordInfo, reject, skip } from 'headgate'
import { memory } from 'headgate/memory'
import { type TraceOptions, traced, traceHeaders } from 'headgate/telemetry'
import { afterAll, beforeAll, expect, test } from 'vitest'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'
const parent = (flags: '00' | '01'): Record<string, string> => ({
  traceparent: `00-${TRACE}-${SPAN}-${flags}`,
  tracestate: 'vendor=x',
})

beforeAll(() => void propagation.setGlobalPropagator(new W3CTraceContextPropagator()))
afterAll(() => propagation.disable())

interface Run {
  readonly records: readonly { value: number; headers?: Record<string, string | Uint8Array> }[]
  readonly options?: Omit<TraceOptions, 'tracer'>
  readonly handler?: (n: number, context: CallContext) => unknown
}

/** Runs the records through one call stage and a sink, and gives the spans and what the sink was told of each record. */
async function run({ records, options = {}, handler = (n) => n }: Run) {
  const exporter = new InMemorySpanExporter()
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  const topic = memory.topic<number>('payments')
  topic.append(records)
  topic.end()
  const origins: RecordInfo[] = []
  const sink = memory.sink<unknown>({ name: 'enriched' })
  const seen = {
    ...sinkOf(sink),
    write: (batch: Parameters<typeof sink.write>[0], signal: AbortSignal) => {
      origins.push(...batch.origins)
      return sink.write(batch, signal)
    },
  }
  const plain = pipeline('orders')
    .from(topic.source({ group: 'g' }))
    .call('enrich', async (n, context) => handler(n as number, context), { retry: false, onFailure: skip() })
    .to(seen)
  const status = await traced(plain, { ...options, tracer: provider.getTracer('test') }).run()
  const spans = exporter.getFinishedSpans()
  return {
    status,
    origins,
    calls: spans.filter(({ kind }) => kind === SpanKind.CONSUMER),
    writes: spans.filter(({ kind }) => kind === SpanKind.PRODUCER),
  }
}

function sinkOf(sink: ReturnType<typeof memory.sink<unknown>>) {
  return {
    name: sink.name,
    capabilities: sink.capabilities,
    open: sink.open.bind(sink),
    close: sink.close.bind(sink),
  }
}

test("an attempt of a sampled record is a span below its producer's, named by the messaging conventions", async () => {
  const { calls, status } = await run({ records: [{ value: 1, headers: parent('01') }], options: { system: 'kafka' } })
  expect(status.records.out).toBe(1)
  expect(calls).toHaveLength(1)
  const [span] = calls
  expect(span?.name).toBe('process payments')
  expect(span?.spanContext().traceId).toBe(TRACE)
  expect(span?.parentSpanContext?.spanId).toBe(SPAN)
  expect(span?.attributes).toMatchObject({
    'messaging.system': 'kafka',
    'messaging.operation.type': 'process',
    'messaging.destination.name': 'payments',
    'messaging.destination.partition.id': '0',
    'messaging.kafka.offset': 0,
    'headgate.stage.name': 'enrich',
    'headgate.attempt': 1,
  })
  expect(span?.attributes['messaging.message.envelope.size']).toBeGreaterThan(0)
})

test('headers may be bytes, and a header that is none leaves the record without a parent', async () => {
  const bytes = { traceparent: Buffer.from(parent('01')['traceparent'] as string) }
  const { calls } = await run({ records: [{ value: 1, headers: bytes }], options: { sampleRatio: 0 } })
  expect(calls[0]?.spanContext().traceId).toBe(TRACE)
  const broken = await run({
    records: [{ value: 1, headers: { traceparent: 'x"\n-01' } }],
    options: { sampleRatio: 0 },
  })
  expect(broken.calls).toEqual([])
  expect(broken.status.records.out).toBe(1)
})

test('a producer that did not sample has decided for all', async () => {
  const { calls } = await run({ records: [{ value: 1, headers: parent('00') }], options: { sampleRatio: 1 } })
  expect(calls).toEqual([])
})

test('of records without a trace the share that was asked for is sampled', async () => {
  const records = Array.from({ length: 100 }, (_, value) => ({ value }))
  expect((await run({ records, options: { sampleRatio: 0.1 } })).calls).toHaveLength(10)
  expect((await run({ records, options: { sampleRatio: 0 } })).calls).toHaveLength(0)
  expect((await run({ records, options: { sampleRatio: 1, spansPerSecond: 1 } })).calls.length).toBeLessThan(50)
})

test('a failure is on its span, and reaches the pipeline as before', async () => {
  const { calls, status } = await run({
    records: [{ value: 1, headers: parent('01') }],
    handler: () => Promise.reject(reject('no such account')),
  })
  expect(status.records.skipped).toBe(1)
  expect(calls[0]?.status).toEqual({ code: SpanStatusCode.ERROR, message: 'no such account' })
  expect(calls[0]?.attributes['error.type']).toBe('HG_RECORD_REJECTED')
  expect(calls[0]?.events.map(({ name }) => name)).toEqual(['exception'])
})

test('what a handler sends carries the span of its attempt', async () => {
  const sent: Record<string, string>[] = []
  const { calls } = await run({
    records: [{ value: 1, headers: parent('01') }],
    handler: (n, context) => {
      sent.push(traceHeaders(context))
      return n
    },
  })
  const spanId = calls[0]?.spanContext().spanId
  expect(sent).toEqual([{ traceparent: `00-${TRACE}-${spanId}-01`, tracestate: 'vendor=x' }])
})

test('what a sink writes carries the span of the attempt, or what the record came with', async () => {
  const records = [{ value: 1, headers: parent('01') }, { value: 2, headers: parent('00') }, { value: 3 }]
  const { origins, calls } = await run({ records, options: { sampleRatio: 0 } })
  expect(origins.map((origin) => traceHeaders(origin))).toEqual([
    { traceparent: `00-${TRACE}-${calls[0]?.spanContext().spanId}-01`, tracestate: 'vendor=x' },
    parent('00'),
    {},
  ])
})

test('a write is a span of its own that links to what it carries', async () => {
  const { writes, calls } = await run({ records: [{ value: 1, headers: parent('01') }], options: { sampleRatio: 1 } })
  expect(writes[0]?.name).toBe('send enriched')
  expect(writes[0]?.attributes).toMatchObject({
    'messaging.operation.type': 'send',
    'messaging.batch.message_count': 1,
  })
  expect(writes[0]?.links.map(({ context }) => context.spanId)).toEqual([calls[0]?.spanContext().spanId])
})

test('a pipeline that is traced is a pipeline, and the plain one stays plain', async () => {
  const topic = memory.topic<number>('t')
  const plain = pipeline('p')
    .from(topic.source({ group: 'g' }))
    .call('c', (n) => n)
    .to(memory.sink())
  const other = traced(plain)
  expect(other.name).toBe('p')
  expect(other.plan).not.toBe(plain.plan)
  expect(plain.plan.flow.stages[0]).not.toBe(other.plan.flow.stages[0])
  expect(() => traced(plain, { sampleRatio: 2 })).toThrow('a number from 0 to 1')
  expect(() => traced(plain, { ratio: 1 } as never)).toThrow('unknown option `ratio`')
})
