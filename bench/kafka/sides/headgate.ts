/**
 * Headgate's sides, on the built package as its users get it: a whole pipeline with its gate, ledger, meters and
 * commits. The sink only counts.
 */
import type { AdmissionOptions, PipelineOptions, RecordInfo, Sink } from 'headgate'
import { Meter } from './meter.ts'
import { call, kept, type Payment, type SideReport, type SideSpec, touch } from './spec.ts'

export type HeadgateParts = typeof import('headgate') & typeof import('headgate/kafka')

const LARGE_RECORD_BYTES = 2 * 1024 * 1024
const LOOK_EVERY_MS = 10
const MOST_RECORDS = 10_000_000
const UNLIMITED_MS = 2 ** 31 - 1

export async function load({ dist }: SideSpec): Promise<HeadgateParts> {
  const entries = await Promise.all([import(`${dist}/index.js`), import(`${dist}/connectors/kafka/index.js`)])
  return Object.assign({}, ...entries) as HeadgateParts
}

export async function headgate(spec: SideSpec): Promise<SideReport> {
  const { pipeline, json, kafka } = await load(spec)
  const meter = new Meter(spec.records)
  const source = {
    ...{ brokers: [spec.broker], group: spec.group, topics: [spec.topic] },
    ...(spec.partitionBytes === undefined ? {} : { partitionFetchBytes: spec.partitionBytes }),
    ...(spec.checkCrcs === undefined ? {} : { checkCrcs: spec.checkCrcs }),
  }
  const begin = pipeline('bench', { admission: admissionOf(spec), ...deliveryOf(spec) })
  const works = {
    touch: () =>
      begin
        .from(kafka.source(source))
        .tap((value) => {
          meter.start()
          meter.sum += touch(value as Uint8Array)
        })
        .to(counting(meter)),
    json: () =>
      begin
        .from(kafka.source({ ...source, decode: json() }))
        .filter((payment) => {
          meter.start()
          if (kept(payment as Payment)) {
            meter.sum += 1
            return true
          }
          meter.done()
          return false
        })
        .to(counting(meter)),
    keyed: () =>
      begin
        .from(kafka.source(source))
        .call(
          'work',
          (value, { record }) => {
            meter.start()
            return call(partitionOf(record), record.offset, spec.tail ?? false).then(() => value)
          },
          { order: 'key', concurrency: spec.concurrency ?? 1 },
        )
        .to(counting(meter)),
    large: () =>
      begin
        .from(kafka.source(source))
        .call(
          'work',
          async (value, { record }) => {
            meter.start()
            await call(partitionOf(record), record.offset, false)
            meter.sum += touch(value as Uint8Array)
            return value
          },
          { order: 'none', concurrency: spec.concurrency ?? 1 },
        )
        .to(counting(meter)),
    copy: () =>
      begin
        .from(kafka.source(source))
        .tap(() => meter.start())
        .to(kafka.sink({ brokers: [spec.broker], topic: spec.to as string })),
  }
  const running = await works[spec.work as keyof typeof works]().start()
  const watching =
    spec.work === 'copy' ? setInterval(() => meter.reach(running.status().records.out), LOOK_EVERY_MS) : null
  await Promise.race([meter.finished, running.done.then(() => Promise.reject(new Error('the pipeline ended')))])
  clearInterval(watching ?? undefined)
  await running.drain()
  return meter.report()
}

function admissionOf({ creditRecords, creditBytes, work }: SideSpec): AdmissionOptions {
  return {
    ...(creditRecords === undefined ? {} : { records: creditRecords, residenceMs: UNLIMITED_MS }),
    ...(creditBytes === undefined ? {} : { bytes: creditBytes }),
    ...(work === 'large' ? { maxRecordBytes: LARGE_RECORD_BYTES } : {}),
  }
}

/** Transactions end by time alone, so that their length is what is compared. */
function deliveryOf({ transactionMs }: SideSpec): PipelineOptions {
  if (transactionMs === undefined) return {}
  return { delivery: 'exactly-once', transaction: { intervalMs: transactionMs, records: MOST_RECORDS } }
}

function partitionOf({ partition }: RecordInfo): number {
  return Number(partition.slice(partition.lastIndexOf('/') + 1))
}

function counting(meter: Meter): Sink<unknown> {
  return {
    name: 'counting',
    capabilities: { maxBatchRecords: 10_000, maxInFlightWrites: 1, idempotent: false, atomic: false },
    open: () => Promise.resolve(),
    write: ({ values }) => {
      meter.done(values.length)
      return Promise.resolve('written')
    },
    close: () => Promise.resolve(),
  }
}
