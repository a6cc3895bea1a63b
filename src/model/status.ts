/**
 * The status of a running pipeline, and the report of a finished one: one schema (`schema/status.schema.json`), one
 * shape here. All durations in milliseconds, all times epoch milliseconds, all rates per second.
 */

/** What a concurrency slot can be doing; every slot is in exactly one state at a time. */
export const SLOT_STATES = [
  'IDLE', 'CPU', 'AWAIT', 'POOL', 'RATE', 'KEY', 'LINGER', 'BACKOFF', 'BLOCKED', 'COMMIT',
] as const // biome-ignore format: a list reads better in rows
export type SlotState = (typeof SLOT_STATES)[number]

/** What the one lane of a source can be doing: a pull in progress, deliveries that wait for a commit, or no room. */
export const LANE_STATES = ['FETCH', 'COMMIT', 'BLOCKED', 'NO_INPUT'] as const
export type LaneState = (typeof LANE_STATES)[number]

export interface RecordCounts {
  /** Delivered by the sources. */
  in: number
  /** At least one output was written. */
  out: number
  /** Every output was filtered away. */
  filtered: number
  deadLettered: number
  /** Failed under `onFailure: skip()`. */
  skipped: number
  /** Given back uncommitted: drained, revoked or stopped before completion. */
  returned: number
  inFlight: number
}

export const PLACE_KINDS = [
  'backlog', 'prefetch', 'queue', 'lanes', 'in-call', 'backoff', 'blocked', 'batch', 'in-write', 'in-transaction',
] as const // biome-ignore format: a list reads better in rows
export type PlaceKind = (typeof PLACE_KINDS)[number]

/** A place within the pipeline where work can wait. */
export interface PlaceStatus {
  name: string
  kind: PlaceKind
  /** The stage, or the source, that it belongs to. */
  owner: string
  records: number
  bytes: number
  /** How long it takes to empty at the present completion rate; null while nothing completes. */
  seconds: number | null
  /** The most records it may hold; null when something else bounds it (the broker's own disk). */
  limitRecords: number | null
}

/** Any place where work can wait, the brokers' backlogs included, of which it may be unknown how much that is. */
export interface WaitStatus extends Omit<PlaceStatus, 'records' | 'bytes'> {
  /** Null when the broker cannot tell, or has not told yet. */
  records: number | null
  /** Null when unknown, as it is of a backlog. */
  bytes: number | null
}

/** One limiter of a call stage: what it allows, what it has found out, and why it is closed if it is. */
export interface LimiterStatus {
  /** What `limitKey` named; null for the one limiter of a stage without. */
  key: string | null
  /** `fixed`, or where the search for the limit stands: `slow-start`, `track`, `brake`, `probe`, `waiting`, `deep`. */
  phase: string
  /** Calls that may be in flight. */
  limit: number
  inFlight: number
  /** Records that wait for it: new ones and due retries. */
  waiting: number
  /** What a call takes when nothing queues in the downstream; null while unknown. */
  baselineMs: number | null
  /** What a call takes now; null while unknown. */
  latencyMs: number | null
  /** Calls a second that a quota grants, found or stated by the downstream; null when none binds. */
  ratePerSecond: number | null
  /** It sends less, or more, than it found, to learn whether the downstream has changed. */
  probing: boolean
  /** Why it is closed: `retry-after`, `breaker`, `concurrency`, `quota`; null when it is open. */
  gate: string | null
  /** Epoch ms at which it opens; null when a call has to settle first, or it is open. */
  gateUntilMs: number | null
  breaker: 'closed' | 'open' | 'half-open'
}

export interface StageStatus {
  name: string
  kind: string
  /** Records that entered. */
  in: number
  /** Records that left for the next stage. */
  out: number
  /** First attempts. */
  first: number
  attempts: number
  ok: number
  rejected429: number
  failed: number
  timeouts: number
  /** Calls or writes in progress. */
  inFlight: number
  /** Slots, or null for a stage that has none of its own. */
  limit: number | null
  /** Why the stage starts nothing more at this moment: a name of the loop's guards. */
  reason: string
  /** Slot-seconds spent in each state since the start. */
  states: Record<SlotState, number>
  /** Seconds for which each reason held since the start. */
  reasonSeconds: Record<string, number>
  settings: StageSettings
  /** Attempts or writes that ended. */
  durations: DurationSums
  latencyMs: LatencyStatus
  /** Of a call stage: its limiters, those with the most waiting first, eight at most. */
  limiters: LimiterStatus[]
}

/** What a stage was told, as far as the doctor has to know; null where the stage has no such setting. */
export interface StageSettings {
  order: 'none' | 'key' | 'partition' | null
  /** Starts a second at most. */
  perSecond: number | null
  timeoutMs: number | null
  /** Records in one batch or write at most. */
  batchRecords: number | null
}

/** Sums over attempts or writes that ended. */
export interface DurationSums {
  count: number
  records: number
  ms: number
  /** CPU of the thread for starting them, in ms. */
  cpuMs: number
  /** The same for those that carried from `fromRecords` up to twice as many records; sizes without any are left out. */
  bySize: SizeSums[]
  /** The same of attempts by how many others were in flight when they began, from `fromInFlight` up to twice as many. */
  byInFlight: InFlightSums[]
}

export interface InFlightSums {
  fromInFlight: number
  count: number
  ms: number
}

export interface SizeSums {
  fromRecords: number
  count: number
  records: number
  ms: number
  cpuMs: number
}

export interface LatencyStatus {
  p50: number
  p95: number
  p99: number
  max: number
}

export interface SourceStatus {
  name: string
  partitions: number
  /** Records in the broker, not yet delivered; null when unknown. */
  backlogRecords: number | null
  /** Age of the oldest record that is not committed, delivered or in the broker; null when there is none or it is unknown. */
  backlogAgeMs: number | null
  /** Records since the start. */
  delivered: number
  /** Delivered or in the broker, when the backlog was last counted: its slope is the arrivals. Null when unknown. */
  arrived: { records: number; atMs: number } | null
  heldRecords: number
  heldBytes: number
  commits: number
  commitFailures: number
  /** Completed and not yet committed. */
  uncommittedRecords: number
  /** Records a partition may have delivered and not committed. */
  limitUncommitted: number
  reason: string
  /** Seconds that its lane spent in each state since the start. */
  states: Record<LaneState, number>
  /** The partitions assigned here; of many those with the most delivered, 256 at most. */
  byPartition: PartitionStatus[]
}

export interface PartitionStatus {
  name: string
  delivered: number
  completed: number
  inFlight: number
  /** Completed and not committed. */
  uncommitted: number
  /** Everything below this offset is done. */
  watermark: number
  /** Timestamp of the oldest record delivered and not completed, epoch ms; null when all are. */
  oldestOpenMs: number | null
  /** Timestamp of the oldest record not committed, delivered or in the broker, epoch ms; null when none is or it is unknown. */
  oldestUncommittedMs: number | null
  /** Records in the broker; null when unknown. */
  backlogRecords: number | null
}

/** What the process did since the start. */
export interface ProcessStatus {
  /** Time in which the event loop had something to do. */
  loopActiveMs: number
  /** All time, of the same clock. */
  loopMs: number
  /** Time of collections; where they come thick, estimated from every fourth quarter of a second. */
  gcMs: number
  /** Time in the engine's turns, the synchronous stages and the starting of calls and writes included. */
  turnsMs: number
  /** CPU time of the thread, or of the whole process where the platform does not tell them apart. */
  cpuMs: number
  /**
   * How late what falls due gets its turn on the thread, in ms, times seconds: ÷ the time it is the mean lateness. Absent
   * in reports of versions that did not measure it.
   */
  lateMsSeconds?: number | undefined
  heapUsedBytes: number
  heapLimitBytes: number
  rssBytes: number
}

/** A record that a stage could not do, whatever became of it. */
export interface FailureStatus {
  source: string
  partition: string
  offset: number
  stage: string
  code: string
  message: string
  atMs: number
}

/** How many of the records of a source have this key. */
export interface KeyShare {
  source: string
  key: string
  /** Of the last tens of thousands of records, as sampled. */
  share: number
}

/** The processes that share what the sources read. */
export interface GroupStatus {
  /** Now, this one included; null when no source can tell. */
  members: number | null
  /** Among how many it can be shared at most; null when unknown. */
  mostMembers: number | null
}

/** What the gate let in and has not seen settled, and what it lets in at most. */
export interface AdmissionStatus {
  records: number
  /** What these are in the stages: more after a `flatMap`, fewer in batches. All places but the backlogs add up to it. */
  items: number
  limitRecords: number
  bytes: number
  limitBytes: number
  reason: string
}

export interface SelfChecks {
  /** Largest |Σ states − slots × time| / (slots × time) over the stages; more than 0.01 is a defect of the meter. */
  statesError: number
  /** Largest |L − X·W| / L over the stages' slots (Little's law). */
  littleError: number
}

export interface Status {
  schema: 1
  pipeline: string
  state: 'starting' | 'running' | 'paused' | 'draining' | 'stopped' | 'failed'
  /** What made it fail, or null. */
  error: { code: string; message: string } | null
  startedAtMs: number
  nowMs: number
  records: RecordCounts
  /** Records completed a second, weighted towards the last two seconds. */
  completionPerSecond: number
  /** From the source's timestamp to completion. */
  latencyMs: LatencyStatus
  /** The sum over all that completed. */
  latencyTotalMs: number
  /** Age of the oldest record that is not completed, in flight or in the broker. */
  queueAgeMs: number
  admission: AdmissionStatus
  /** Every place where work can wait, in the order of the flow: backlogs, prefetch, queues, calls, batches, writes. */
  places: WaitStatus[]
  sources: SourceStatus[]
  stages: StageStatus[]
  group: GroupStatus
  checks: SelfChecks
  process: ProcessStatus
  /** The last first, 32 at most. */
  lastFailures: FailureStatus[]
  /** Keys that many records have, the most frequent first, 8 of a source at most. */
  hotKeys: KeyShare[]
  memory: { rssStartBytes: number; rssMaxBytes: number; rssEndBytes: number; heapMaxBytes: number }
  /** One plain sentence. */
  verdict: string
}
