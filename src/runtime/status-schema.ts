/**
 * The schema of the status and of the report: the shape of `model/status.ts` with descriptions, units and ranges.
 * `schema/status.schema.json` is generated from it, and consumers validate reports with either. A type-level
 * assertion at the end refuses to compile when the two shapes differ.
 */
import { z } from 'zod'
import { PLACE_KINDS, type Status } from '../model/status.ts'

const tally = (description: string) => z.int().nonnegative().describe(description)
const amount = (description: string) => z.number().nonnegative().describe(description)
const name = (description: string) => z.string().min(1).describe(description)
const reason = (description: string) => z.string().describe(description)

export const latency = (description: string) =>
  z
    .strictObject({
      p50: amount('Median, milliseconds.'),
      p95: amount('95th percentile, milliseconds.'),
      p99: amount('99th percentile, milliseconds.'),
      max: amount('Largest, milliseconds.'),
    })
    .describe(description)

const error = z
  .strictObject({
    code: name('One of the HG_… codes of docs/errors.md, or the code of a foreign error.'),
    message: z.string().describe('What happened, for a person.'),
  })
  .nullable()
  .describe('What made the pipeline fail, or null.')

const records = z
  .strictObject({
    in: tally('Records delivered by the sources.'),
    out: tally('Records of which at least one output was written.'),
    filtered: tally('Records of which every output was filtered away.'),
    deadLettered: tally('Records handed to a dead-letter sink.'),
    skipped: tally('Records that failed under onFailure: skip().'),
    returned: tally('Records given back uncommitted: drained, revoked or stopped before completion.'),
    inFlight: tally('Records delivered and not at an end yet.'),
  })
  .describe('Record counts since the start: in = out + filtered + deadLettered + skipped + returned + inFlight.')

/** A figure for each state of a slot. */
export const stateSeconds = (description: string) =>
  z
    .strictObject({
      IDLE: amount('Nothing to do, slot-seconds.'),
      CPU: amount('Own code on the thread, slot-seconds.'),
      AWAIT: amount('Waiting for the downstream, slot-seconds.'),
      POOL: amount('Waiting for a connection or worker, slot-seconds.'),
      RATE: amount('Held back by a rate limit, slot-seconds.'),
      KEY: amount('Held back by ordering, slot-seconds.'),
      LINGER: amount('Waiting for a batch to fill, slot-seconds.'),
      BACKOFF: amount('Waiting between attempts, slot-seconds.'),
      BLOCKED: amount('No room in the next stage, slot-seconds.'),
      COMMIT: amount('Waiting for the end of a transaction, slot-seconds.'),
    })
    .describe(description)

const states = stateSeconds(
  'Slot-seconds spent in each state since the start; a slot is in exactly one state at a time.',
)

const durations = z
  .strictObject({
    count: tally('Attempts or writes that ended.'),
    records: tally('Records that they carried.'),
    ms: amount('Sum of their durations, milliseconds.'),
    cpuMs: amount('Thread time for starting them, milliseconds.'),
    bySize: z
      .array(
        z.strictObject({
          fromRecords: tally('The least records that one of these carried.'),
          count: tally('Attempts or writes.'),
          records: tally('Records.'),
          ms: amount('Sum of durations, milliseconds.'),
          cpuMs: amount('Thread time for starting them, milliseconds.'),
        }),
      )
      .describe('The same for those that carried from fromRecords up to twice as many records.'),
    byInFlight: z
      .array(
        z.strictObject({
          fromInFlight: tally('The fewest others that were in flight when one of these began.'),
          count: tally('Attempts.'),
          ms: amount('Sum of durations, milliseconds.'),
        }),
      )
      .describe('The same by how many others were in flight when they began.'),
  })
  .describe('Attempts or writes that ended since the start.')

const stageSettings = z
  .strictObject({
    order: z.enum(['none', 'key', 'partition']).nullable().describe('What may not overtake what; null: no matter.'),
    perSecond: amount('Rate.').nullable().describe('Starts a second at most; null when not limited.'),
    timeoutMs: amount('Time.').nullable().describe('How long an attempt may take, milliseconds.'),
    batchRecords: tally('Records.').nullable().describe('Records in one batch or write at most.'),
  })
  .describe('What the stage was told.')

/** A figure for each state of a source's lane. */
export const laneSeconds = (description: string) =>
  z
    .strictObject({
      FETCH: amount('A pull that brought something, seconds.'),
      COMMIT: amount('Deliveries wait for a commit, seconds.'),
      BLOCKED: amount('No room or no credit, seconds.'),
      NO_INPUT: amount('A pull that brought nothing, or no pull wanted, seconds.'),
    })
    .describe(description)

const lane = laneSeconds('Seconds that the lane of the source spent in each state since the start.')

const partition = z
  .strictObject({
    name: name('The partition.'),
    delivered: tally('Records delivered.'),
    completed: tally('Records completed.'),
    inFlight: tally('Records in flight.'),
    uncommitted: tally('Records completed and not committed.'),
    watermark: z.int().describe('Everything below this offset is done.'),
    oldestOpenMs: z
      .number()
      .nullable()
      .describe('Timestamp of the oldest record delivered and not completed, milliseconds since the Unix epoch.'),
    oldestUncommittedMs: z
      .number()
      .nullable()
      .describe(
        'Timestamp of the oldest record that is not committed, delivered or in the broker, milliseconds since the Unix epoch; null when there is none or it is unknown.',
      ),
    backlogRecords: tally('Records.').nullable().describe('Records in the broker; null when unknown.'),
  })
  .describe('One partition.')

const processSchema = z
  .strictObject({
    loopActiveMs: amount('Time in which the event loop had something to do, milliseconds.'),
    loopMs: amount('All time of the same clock, milliseconds.'),
    gcMs: amount('Time in garbage collection, milliseconds.'),
    turnsMs: amount("Time in the engine's turns, the stages that run in them included, milliseconds."),
    cpuMs: amount('CPU time of the thread, or of the process where it is not told apart, milliseconds.'),
    lateMsSeconds: amount('How late what falls due gets its turn, milliseconds times seconds.').optional(),
    heapUsedBytes: amount('Heap in use after the last collections, bytes.'),
    heapLimitBytes: amount('The most it may be, bytes.'),
    rssBytes: amount('Resident memory, bytes.'),
  })
  .describe('What the process did since the start.')

export const failure = z
  .strictObject({
    source: name('The source of the record.'),
    partition: name('Its partition.'),
    offset: z.int().describe('Its offset.'),
    stage: name('The stage that could not do it.'),
    code: name('One of the HG_… codes.'),
    message: z.string().describe('What happened.'),
    atMs: z.number().describe('When, milliseconds since the Unix epoch.'),
  })
  .describe('A record that a stage could not do, whatever became of it.')

export const keyShare = z
  .strictObject({
    source: name('The source.'),
    key: z.string().describe('The key.'),
    share: z.number().min(0).max(1).describe('Its share of the last tens of thousands of records, as sampled.'),
  })
  .describe('A key that many records have.')

export const place = z
  .strictObject({
    name: name('The place, unique within the pipeline.'),
    kind: z.enum(PLACE_KINDS).describe('What kind of place.'),
    owner: name('The stage, or the source, that it belongs to.'),
    records: tally('Records waiting there now.')
      .nullable()
      .describe('Records waiting there now; null when the broker cannot tell, or has not told yet.'),
    bytes: amount('Their bytes.').nullable().describe('Their bytes; null when unknown, as they are of a backlog.'),
    seconds: amount('Seconds until it is empty at the present completion rate.')
      .nullable()
      .describe(
        'Seconds until it is empty at the present completion rate; null while nothing completes or it is unknown what waits.',
      ),
    limitRecords: tally('The most records it may hold.')
      .nullable()
      .describe('The most records it may hold; null when something else bounds it.'),
  })
  .describe('A place where work can wait.')

const source = z
  .strictObject({
    name: name('The source.'),
    partitions: tally('Partitions assigned to this process.'),
    backlogRecords: tally('Records.')
      .nullable()
      .describe('Records in the broker, not delivered yet; null when unknown.'),
    backlogAgeMs: amount('Age.')
      .nullable()
      .describe(
        'Age of the oldest record that is not committed, delivered or in the broker, milliseconds; null when there is none or it is unknown.',
      ),
    delivered: tally('Records delivered since the start.'),
    arrived: z
      .strictObject({ records: tally('Records.'), atMs: amount('When, milliseconds since the Unix epoch.') })
      .nullable()
      .describe('Delivered or in the broker when the backlog was last counted; null when unknown.'),
    heldRecords: tally('Records inside the client, not returned by a pull yet.'),
    heldBytes: amount('Their bytes.'),
    commits: tally('Commits that succeeded.'),
    commitFailures: tally('Commits that failed.'),
    uncommittedRecords: tally('Records completed and not committed yet.'),
    reason: reason('Why nothing more is pulled at this moment.'),
    limitUncommitted: amount('Records a partition may have delivered and not committed.'),
    states: lane,
    byPartition: z.array(partition).describe('The partitions assigned here, 256 at most.'),
  })
  .describe('One source.')

const limiter = z
  .strictObject({
    key: z.string().nullable().describe('What `limitKey` named; null for the one limiter of a stage without.'),
    phase: name('`fixed`, or where the search stands: slow-start, track, brake, probe, waiting, deep.'),
    limit: amount('Calls that may be in flight.'),
    inFlight: tally('Calls in flight.'),
    waiting: tally('Records that wait for it: new ones and due retries.'),
    baselineMs: amount('Ms.')
      .nullable()
      .describe('What a call takes when nothing queues, milliseconds; null while unknown.'),
    latencyMs: amount('Ms.').nullable().describe('What a call takes now, milliseconds; null while unknown.'),
    ratePerSecond: amount('Rate.').nullable().describe('Calls a second that a quota grants; null when none binds.'),
    probing: z
      .boolean()
      .describe('It sends less, or more, than it found, to learn whether the downstream has changed.'),
    gate: z.string().nullable().describe('Why it is closed: retry-after, breaker, concurrency, quota; null when open.'),
    gateUntilMs: amount('Time.')
      .nullable()
      .describe(
        'When it opens, milliseconds since the Unix epoch; null when a call has to settle first, or it is open.',
      ),
    breaker: z
      .enum(['closed', 'open', 'half-open'])
      .describe('Open and half-open: the downstream is taken to be down.'),
  })
  .describe('One limiter of a call stage.')

const stage = z
  .strictObject({
    name: name('The stage, unique within the pipeline.'),
    kind: name('map, filter, tap, flatMap, call, batch, route, sink …'),
    in: tally('Records that entered.'),
    out: tally('Records that left for the next stage.'),
    first: tally('First attempts.'),
    attempts: tally('Attempts in all.'),
    ok: tally('Attempts that succeeded.'),
    rejected429: tally('Attempts that the downstream refused because of overload.'),
    failed: tally('Attempts that failed otherwise.'),
    timeouts: tally('Attempts that took too long.'),
    inFlight: tally('Calls or writes in progress.'),
    limit: amount('Slots.').nullable().describe('Slots; null for a stage that has none of its own.'),
    reason: reason('Why the stage starts nothing more at this moment.'),
    states,
    reasonSeconds: z.record(z.string(), amount('Seconds.')).describe('Seconds for which each reason held.'),
    settings: stageSettings,
    durations,
    latencyMs: latency('Duration of one attempt, milliseconds.'),
    limiters: z.array(limiter).describe('Limiters of a call stage, those with the most waiting first, eight at most.'),
  })
  .describe('One stage.')

export const statusSchema = z
  .strictObject({
    schema: z.literal(1).describe('Version of this schema.'),
    pipeline: name('The name of the pipeline.'),
    state: z
      .enum(['starting', 'running', 'paused', 'draining', 'stopped', 'failed'])
      .describe('Where the pipeline is in its life.'),
    error,
    startedAtMs: amount('When it started, milliseconds since the Unix epoch.'),
    nowMs: amount('When this status was taken, milliseconds since the Unix epoch.'),
    records,
    completionPerSecond: amount('Records completed a second, weighted towards the last two seconds.'),
    latencyMs: latency("From the source's timestamp to completion, milliseconds."),
    latencyTotalMs: z.number().describe('The sum of it over all that completed, milliseconds.'),
    queueAgeMs: amount('Age of the oldest record not completed, in flight or in the broker, milliseconds.'),
    admission: z
      .strictObject({
        records: tally('Records admitted and not settled.'),
        items: tally('What they are in the stages: more after a flatMap, fewer in batches. The places add up to it.'),
        limitRecords: amount('The most of them at this moment.'),
        bytes: amount('Their bytes.'),
        limitBytes: amount('The most bytes at this moment.'),
        reason: reason('Which of the budgets is the smallest now.'),
      })
      .describe('The gate at the head of the pipeline.'),
    places: z.array(place).describe('Every place where work can wait, in the order of the flow.'),
    sources: z.array(source).describe('The sources.'),
    stages: z.array(stage).describe('The stages, in the order of the flow.'),
    group: z
      .strictObject({
        members: tally('Processes now, this one included.')
          .nullable()
          .describe('Processes now, this one included; null when no source can tell.'),
        mostMembers: tally('Processes.')
          .nullable()
          .describe('Among how many the work can be shared at most; null when unknown.'),
      })
      .describe('The processes that share what the sources read.'),
    checks: z
      .strictObject({
        statesError: amount('Largest |Σ states − slots × time| / (slots × time); above 0.01 the meter is defective.'),
        littleError: amount("Largest |L − X·W| / L over the stages' slots (Little's law)."),
      })
      .describe('What the meter says about itself.'),
    process: processSchema,
    lastFailures: z.array(failure).describe('The last first, 32 at most.'),
    hotKeys: z.array(keyShare).describe('Keys that many records have, the most frequent first.'),
    memory: z
      .strictObject({
        rssStartBytes: amount('Resident memory at the start, bytes.'),
        rssMaxBytes: amount('The most resident memory seen, bytes.'),
        rssEndBytes: amount('Resident memory now, or at the end, bytes.'),
        heapMaxBytes: amount('The most JavaScript heap in use seen, bytes.'),
      })
      .describe('Memory of the process.'),
    verdict: z.string().describe('What is going on, in one plain sentence.'),
  })
  .describe('The status of a running pipeline, and the report of a finished one.')

/** The JSON Schema (draft 2020-12) of a status, as it is published in `headgate/status.schema.json`. */
export function statusJsonSchema(): object {
  const { $schema, ...rest } = z.toJSONSchema(statusSchema)
  return { $schema, title: 'Headgate status', ...rest }
}

export type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** Fails to compile when `Status` and the schema are not the same shape, field by field. */
type Assert<T extends true> = T
export type SchemaMatchesStatus = Assert<Same<Expand<z.infer<typeof statusSchema>>, Expand<Status>>>

export type Expand<T> = T extends readonly (infer E)[]
  ? Expand<E>[]
  : T extends object
    ? { [K in keyof T]: Expand<T[K]> }
    : T
