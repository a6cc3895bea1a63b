/**
 * The scenarios of the Kafka bench and the goals of each row. Sides are at their defaults except where a scenario is
 * about an option. A peer without a goal is shown for comparison.
 */
import { CPU, MEMORY, RATE, type Scenario, type Side, STEADY } from './scenario.ts'
import { PARALLEL_CONSUMER } from './side.ts'
import { busiestShare, topics } from './topics.ts'

const MIB = 1024 * 1024
const BY_HAND = 'KafkaJS by hand'
const PARALLEL = 'Parallel Consumer'
const BOUND = 'C ÷ mean latency'
const ALONE = 'the calls alone'
const FETCH_ALONE = 'the fetch alone'
const MEAN = 'mean latency ms'
const BUSIEST = 'the busiest key'
const UNLIMITED = 'unlimited credit'
const ALLOWED = 'allowed'
const AT_LEAST_ONCE = 'at least once'

/** One process each; the fetch alone shows what no consumer could do without. */
function plain(work: 'touch' | 'json', checkCrcs: boolean): Scenario['sides'] {
  return {
    headgate: { side: 'headgate', work, checkCrcs },
    [BY_HAND]: { side: 'kafkajs', work },
    [FETCH_ALONE]: { side: 'fetch-alone', work },
  }
}

/** What a process needs besides its budget, for runtime, code and buffers that are not records. */
const BASE_MIB = 130
const LARGE_BUDGET_MIB = 64
const LARGE_CONCURRENCY = 16

/** What is in an open transaction stays in flight: that of the longest must fit. */
const COPY_CREDIT_RECORDS = 1_000_000
const COPY_CREDIT_BYTES = 512 * MIB

/** By hand, with fetches of 64 KB and a thousand calls: it would take minutes over all of them. */
const BY_HAND_RECORDS = 40_000
/** Enough for a mean. */
const ALONE_RECORDS = 1_000

export function scenarios(scale: number): readonly Scenario[] {
  const topic = topics(scale)
  const of = (name: string) => topic[name] as NonNullable<(typeof topic)[string]>

  /** Without checksums as well: KafkaJS verifies none. */
  const consume = (size: string, name: string, checkCrcs = true): Scenario => ({
    name: `consume ${size}${checkCrcs ? '' : ', no checksums'}`,
    topic: of(name),
    smoke: name === 'small',
    sides: plain('touch', checkCrcs),
    rows: [
      { figure: RATE, goals: { [BY_HAND]: 3 } },
      { figure: CPU, goals: { [BY_HAND]: 0.4 } },
      { figure: MEMORY, goals: { [BY_HAND]: 0.7 } },
    ],
  })

  const decode = (size: string, name: string, checkCrcs = true): Scenario => ({
    name: `JSON and filter ${size}${checkCrcs ? '' : ', no checksums'}`,
    topic: of(name),
    smoke: name === 'small',
    sides: plain('json', checkCrcs),
    rows: [
      { figure: RATE, goals: { [BY_HAND]: 1.8 } },
      { figure: CPU, goals: {} },
      { figure: MEMORY, goals: { [BY_HAND]: 0.7 } },
    ],
  })

  const credit: Scenario = {
    name: 'credit of 50 records',
    topic: of('small'),
    smoke: true,
    sides: {
      headgate: { side: 'headgate', work: 'touch', creditRecords: 50 },
      [UNLIMITED]: { side: 'headgate', work: 'touch', creditRecords: 10_000_000, creditBytes: 2 ** 40 },
    },
    rows: [{ figure: RATE, goals: { [UNLIMITED]: 0.5 } }],
  }

  const keyed = (keys: string, name: string, concurrency: number): Scenario => {
    const work = { work: 'keyed', concurrency } as const
    return {
      name: `keyed, ${keys}, ${concurrency} at once`,
      topic: of(name),
      smoke: name === 'zipf' && concurrency === 100,
      sides: {
        headgate: { side: 'headgate', ...work },
        [BY_HAND]: { side: 'kafkajs', ...work },
        [PARALLEL]: { side: PARALLEL_CONSUMER, ...work },
      },
      rows: [
        { figure: RATE, goals: { [BY_HAND]: 0.95, [PARALLEL]: concurrency >= 1_000 ? 3 : 1 } },
        { figure: CPU, goals: { [PARALLEL]: 0.5 } },
        { figure: MEMORY, goals: { [PARALLEL]: 0.5 } },
      ],
    }
  }

  const hotKey: Scenario = {
    name: 'keyed, Zipf exponent 1, 100 at once',
    topic: of('hotKey'),
    smoke: false,
    sides: {
      headgate: { side: 'headgate', work: 'keyed', concurrency: 100 },
      [BY_HAND]: { side: 'kafkajs', work: 'keyed', concurrency: 100 },
      // As many calls as there are busy keys, or these would wait for the others' timers.
      [ALONE]: { side: 'alone', work: 'keyed', concurrency: 2, records: ALONE_RECORDS },
    },
    rows: [
      {
        figure: RATE,
        bounds: {
          [BUSIEST]: {
            side: ALONE,
            of: ({ notes }) => 1000 / (busiestShare(of('hotKey')) * (notes[MEAN] as number)),
          },
        },
        goals: { [BUSIEST]: 0.9, [BY_HAND]: 0.95 },
      },
    ],
  }

  const tail = (fetch: string, partitionBytes: number, concurrency: number): Scenario => {
    const work = { work: 'keyed', concurrency, tail: true } as const
    const long = concurrency >= 1_000
    const fewer = Math.min(BY_HAND_RECORDS, of('tail').records)
    return {
      name: `tail of 500 ms, fetches of ${fetch}, ${concurrency} at once`,
      topic: of(long ? 'longTail' : 'tail'),
      smoke: !long && partitionBytes < MIB,
      sides: {
        headgate: { side: 'headgate', ...work, partitionBytes },
        [BY_HAND]: { side: 'kafkajs', ...work, partitionBytes, ...(long ? { records: fewer } : {}) },
        [ALONE]: { side: 'alone', ...work },
      },
      rows: [
        {
          figure: STEADY,
          bounds: { [BOUND]: { side: ALONE, of: ({ notes }) => notes[BOUND] as number } },
          goals: { [BOUND]: 0.9 },
        },
      ],
    }
  }

  const large: Scenario = {
    name: 'records of 1 MiB',
    topic: of('large'),
    smoke: true,
    sides: {
      headgate: {
        ...{ side: 'headgate', work: 'large', concurrency: LARGE_CONCURRENCY },
        creditBytes: LARGE_BUDGET_MIB * MIB,
      },
      [BY_HAND]: { side: 'kafkajs', work: 'large', concurrency: LARGE_CONCURRENCY },
    },
    rows: [
      {
        figure: MEMORY,
        bounds: { [ALLOWED]: { side: 'headgate', of: () => LARGE_BUDGET_MIB + BASE_MIB } },
        goals: { [ALLOWED]: 1 },
      },
      { figure: RATE, goals: {} },
    ],
  }

  const exactlyOnce = (length: string, transactionMs: number): Scenario => {
    const work: Side = {
      ...({ side: 'headgate', work: 'copy', to: of('copies').name } as const),
      ...{ creditRecords: COPY_CREDIT_RECORDS, creditBytes: COPY_CREDIT_BYTES },
    }
    return {
      name: `exactly-once, transactions of ${length}`,
      topic: of('fewer'),
      to: of('copies'),
      smoke: transactionMs === 100,
      sides: { headgate: { ...work, transactionMs }, [AT_LEAST_ONCE]: work },
      rows: [
        { figure: RATE, goals: {} },
        { figure: CPU, goals: {} },
      ],
    }
  }

  return [
    consume('100 B', 'small'),
    consume('1 KB', 'kilobyte'),
    decode('100 B', 'small'),
    decode('1 KB', 'kilobyte'),
    consume('1 KB', 'kilobyte', false),
    decode('1 KB', 'kilobyte', false),
    credit,
    ...[100, 1_000].flatMap((concurrency) => [
      keyed('2,000 Zipf keys', 'zipf', concurrency),
      keyed('a million keys', 'many', concurrency),
    ]),
    hotKey,
    ...[100, 1_000].flatMap((concurrency) => [tail('1 MB', MIB, concurrency), tail('64 KB', 64 * 1024, concurrency)]),
    large,
    exactlyOnce('100 ms', 100),
    exactlyOnce('1 s', 1_000),
    exactlyOnce('5 s', 5_000),
  ]
}
