/**
 * `npm run bench -- kafka`: Headgate's Kafka source beside consumers written by hand on KafkaJS and Confluent's
 * Parallel Consumer, on a broker that it starts itself, each side in a process of its own. The scenarios and their
 * goals are in `kafka/scenarios.ts`.
 */
import { Kafka, logLevel } from 'kafkajs'
import { startKafka } from '../tests/fixtures/kafka/broker.ts'
import type { Result } from './harness.ts'
import { type Fault, growAndShrink, killAndRedo } from './kafka/faults.ts'
import { measureScenario, type Surroundings } from './kafka/measure.ts'
import { scenarios } from './kafka/scenarios.ts'
import { compileSides } from './kafka/side.ts'
import { fill, recordsIn, type Topic, topics } from './kafka/topics.ts'

export interface KafkaOptions {
  /** Only scenarios whose name contains this. */
  readonly scenario: string
  readonly repeats: number
  /** A fiftieth of the records, once. */
  readonly smoke: boolean
  /** A broker that is running, `HOST:PORT`; null starts one. */
  readonly broker: string | null
}

const SMOKE_SCALE = 1 / 50
/** Enough to be killed, and to be shared, in the middle. */
const SMOKE_FAULT_SCALE = 1 / 4
const BROKER_HEAP_MB = 700
const STAGE_MS = 3_000
const SMOKE_STAGE_MS = 1_000
/** More than these and what lies between them take more records than the topic has. */
const MOST_KILLS = 3

export async function kafka({ scenario, repeats, smoke, broker }: KafkaOptions): Promise<Result[]> {
  const scale = smoke ? SMOKE_SCALE : 1
  const wanted = ({ name }: { name: string }): boolean => name.includes(scenario)
  const chosen = scenarios(scale).filter((each) => wanted(each) && (!smoke || each.smoke))
  const faults = faultsOf(smoke, repeats).filter(wanted)
  if (chosen.length + faults.length === 0) throw new Error(`no scenario's name contains '${scenario}'`)
  compileSides()
  return withBroker(broker, async (address) => {
    const around = { broker: address, lag: lagOn(address), say }
    const used = [...chosen, ...faults].map(({ topic }) => topic)
    const needed = new Map([...used, ...chosen.flatMap(({ to }) => to ?? [])].map((topic) => [topic.name, topic]))
    await fill(address, [...needed.values()], say)
    const results: Result[] = []
    const count = chosen.length + faults.length
    for (const [index, each] of chosen.entries()) {
      say(`${index + 1} of ${count}: ${each.name}`)
      results.push(...(await measureScenario(each, smoke ? 1 : repeats, around)))
    }
    for (const [index, fault] of faults.entries()) {
      say(`${chosen.length + index + 1} of ${count}: ${fault.name}`)
      results.push(...(await runFault(fault, around)))
    }
    return results
  })
}

function faultsOf(smoke: boolean, repeats: number): Fault[] {
  const topic = topics(smoke ? SMOKE_FAULT_SCALE : 1)['many'] as Topic
  const stageMs = smoke ? SMOKE_STAGE_MS : STAGE_MS
  return [
    {
      name: 'redone after kill -9',
      topic,
      stageMs,
      kills: smoke ? 1 : Math.min(repeats, MOST_KILLS),
      run: killAndRedo,
    },
    { name: 'rebalance to 4 members and back', topic, stageMs, kills: 0, run: growAndShrink },
  ]
}

async function runFault(fault: Fault, around: Surroundings): Promise<Result[]> {
  try {
    return await fault.run(fault, around)
  } catch (error) {
    const reason = `failed: ${error instanceof Error ? error.message : String(error)}`
    say(`${fault.name}: ${reason}`)
    const nothing = { headgate: null, peers: {}, ratio: {}, goal: {}, holds: null, notes: {} }
    return [{ name: fault.name, unit: '', ...nothing, skipped: { headgate: reason } }]
  }
}

async function withBroker<T>(given: string | null, work: (address: string) => Promise<T>): Promise<T> {
  if (given !== null) return work(given)
  say('starting Kafka')
  const started = await startKafka({ heapMb: BROKER_HEAP_MB, optimized: true })
  try {
    return await work(started.brokers[0] as string)
  } finally {
    await started.stop()
  }
}

function lagOn(broker: string): (group: string, topic: string) => Promise<number> {
  return async (groupId, topic) => {
    const admin = new Kafka({ clientId: 'bench', brokers: [broker], logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    try {
      const [committed] = await admin.fetchOffsets({ groupId, topics: [topic] })
      const done = committed?.partitions.reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0) ?? 0
      return (await recordsIn(admin, topic)) - done
    } finally {
      await admin.disconnect()
    }
  }
}

/** With the time since the start. */
function say(text: string): void {
  const seconds = Math.round(performance.now() / 1000)
  const time = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
  process.stderr.write(`  ${time.padStart(5)}  ${text}\n`)
}
