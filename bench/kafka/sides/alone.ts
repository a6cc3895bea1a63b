/**
 * The handler without Kafka: as many loops as calls may be in flight, each making one call after another. What it
 * reaches is the bound for any consumer, on this machine and with these timers; the mean latency it sees is the one
 * that "C ÷ mean latency" means.
 */
import { Meter } from './meter.ts'
import { call, type SideReport, type SideSpec } from './spec.ts'

const PARTITIONS = 8

export async function alone({ records, concurrency = 1, tail = false }: SideSpec): Promise<SideReport> {
  const meter = new Meter(records)
  let next = 0
  let totalMs = 0
  meter.start()
  const loop = async (): Promise<void> => {
    while (next < records) {
      const index = next
      next += 1
      const startedMs = performance.now()
      await call(index % PARTITIONS, Math.floor(index / PARTITIONS), tail)
      totalMs += performance.now() - startedMs
      meter.done()
    }
  }
  await Promise.all(Array.from({ length: concurrency }, loop))
  const meanMs = totalMs / records
  return meter.report({ 'mean latency ms': meanMs, 'C ÷ mean latency': (concurrency * 1000) / meanMs })
}
