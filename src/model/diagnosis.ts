/**
 * The diagnosis of a pipeline: how it is, which stage holds it back and why, what would help and what would hurt, and
 * where the work waits. `running.diagnose()` gives one, `headgate doctor --json` prints one, and
 * `schema/diagnosis.schema.json` describes it. Durations are in milliseconds, times epoch milliseconds, rates a
 * second, shares between 0 and 1. All figures are of `window`, the last seconds, unless they say otherwise.
 */
import type { FailureStatus, LaneState, LatencyStatus, SlotState, Status, WaitStatus } from './status.ts'

export const HEALTH_KINDS = [
  /** Not enough has been seen yet. */
  'starting',
  /** Nothing arrives and nothing waits. */
  'idle',
  /** What arrives is completed; nothing waits for long. */
  'keeping-up',
  /** Held at a limit on purpose, with bounded memory; see `fallingBehind`. */
  'throttling',
  /** Something waits, and it becomes less; see `etaMs`. */
  'absorbing-burst',
  /** More arrives than is completed; see `breachMs`. */
  'overload',
  /** Most attempts are repeats of attempts that failed. */
  'retry-storm',
  /** Work is in flight and nothing completes. */
  'stalled',
  'paused',
  'draining',
  'ended',
  'failed',
] as const
export type HealthKind = (typeof HEALTH_KINDS)[number]

export interface Health {
  kind: HealthKind
  /** Of a throttled pipeline: more arrives than the limit lets through. */
  fallingBehind: boolean
  /** Until the backlog is gone, at the slopes that the window allows; null unless it shrinks. */
  etaMs: { low: number; high: number } | null
  /** Until the oldest record is older than what was promised, or is lost to retention; null when neither comes near. */
  breachMs: number | null
  /** Of a retry storm: it has outlived what set it off by 30 s. */
  metastable: boolean
  sentence: string
}

export const CAUSE_KINDS = [
  /** Nothing holds the pipeline back. */
  'none',
  /** The stage's own code uses up the thread. */
  'own-cpu',
  /** Code that belongs to no stage uses up the thread, or the stages' code after an `await`. */
  'foreign-code',
  /** What a write or call costs the thread apart from its records: larger batches share it. */
  'per-record-overhead',
  /** Garbage collection, or a heap that is nearly full. */
  'memory',
  /** The machine gives the thread less time than it asks for. */
  'starved-host',
  /** Calls take long, and more of them at once would get more done. */
  'downstream-latency',
  /** The downstream does not do more however many calls it is sent. */
  'downstream-saturated',
  /** The downstream refuses calls: a quota, or the pause it asks for. */
  'remote-limit',
  /** The stage's own `rate`. */
  'local-limit',
  /** Calls wait for a connection or worker. */
  'pool-wait',
  /** Records of one key wait for one another. */
  'key-skew',
  /** Records of one partition wait for one another, or most records are in one partition. */
  'partition-skew',
  /** Writes or calls carry too few records for what each of them takes. */
  'small-batches',
  /** The sink takes as long as its writes take. */
  'slow-sink',
  /** The source does not deliver faster. */
  'slow-fetch',
  /** Commits take so long that deliveries wait for them. */
  'slow-commit',
  /** Repeats of failed attempts take the place of first ones. */
  'retry-storm',
  /** The downstream is taken to be down: the breaker is open. */
  'downstream-down',
  /** The dead-letter sink takes no more. */
  'dead-letter-full',
  /** Calls or writes are in progress and none ends. */
  'stalled',
  /** The admission budget is smaller than what the stages need to be busy. */
  'admission',
] as const
export type CauseKind = (typeof CAUSE_KINDS)[number]

/** One figure that a verdict rests on. */
export interface Evidence {
  name: string
  value: number
  /** `share`, `ms`, `/s`, `records`, `bytes`, `s`, `×` or empty for a plain number. */
  unit: string
  /** What the figure says, for a person. */
  meaning: string
}

export interface Candidate {
  /** The stage or source; null when it is the process as a whole, or nothing. */
  bottleneck: string | null
  kind: CauseKind
  /** 0 to 1; below 0.5 `second` may as well be the cause. */
  confidence: number
  sentence: string
}

export interface Verdict extends Candidate {
  evidence: Evidence[]
  /** What else it could be; null when nothing else comes near. */
  second: Candidate | null
  /** Epoch ms since when this has been the verdict. */
  sinceMs: number
}

/** `turn`: it helps. `safe`: it costs no throughput and relieves something else. `hurts`: leave it. */
export type Advice = 'turn' | 'safe' | 'hurts'

/** What a knob is; `console` and `doctor` group by it. */
export type Setting =
  | 'concurrency'
  | 'rate'
  | 'batch-records'
  | 'pool'
  | 'keys'
  | 'partitions'
  | 'replicas'
  | 'downstream'
  | 'own-code'
  | 'admission'
  | 'commit'
  | 'fetch'
  | 'retry-budget'
  | 'heap'

export interface Knob {
  /** For a person: `slots of 'enrich'`. */
  knob: string
  setting: Setting
  /** The stage or source that it belongs to; null for the process. */
  stage: string | null
  /** Present and proposed value; null where it is no number. */
  from: number | null
  to: number | null
  predicted: {
    completionPerSecond: number
    /** Of one attempt at the stage; null when it cannot be told. */
    latencyMs: number | null
  }
  /** Predicted ÷ present completion rate: 1.5 is half as much again. */
  gainRatio: number
  /** What holds the pipeline back then; null when it keeps up. */
  nextBottleneck: { stage: string | null; kind: CauseKind } | null
  advice: Advice
  /** Whether `running.setLimits` can turn it while the pipeline runs. */
  live: boolean
  sentence: string
}

export interface PlacesCheck {
  /** In all places but the backlogs. */
  records: number
  /** What the records that were admitted are in the stages: more after a `flatMap`, fewer in batches; else as many. */
  items: number
  /** What the gate let in and has not seen settled. */
  admitted: number
  /** Whether the places add up to the items; false would be a defect. */
  holds: boolean
}

export interface HotKey {
  source: string
  key: string
  /** Of the records of this source, as sampled. */
  share: number
}

export interface PartitionDiagnosis {
  source: string
  partition: string
  /** Of what the source delivered. */
  share: number
  /** Records in the broker; null when unknown. */
  lagRecords: number | null
  /** Age of the oldest record that is not committed, delivered or in the broker; null when there is none or it is unknown. */
  lagMs: number | null
  /** Delivered and not completed. */
  queuedRecords: number
  /** Completed and not committed: they wait for an earlier record, or for the next commit. */
  uncommittedRecords: number
  /** Everything below this offset is done. */
  watermark: number
  /** Age of the oldest record delivered and not completed; null when there is none. Its offset is the watermark. */
  oldestMs: number | null
}

export interface StageDiagnosis {
  name: string
  kind: string
  /** Share of the slots' time in each state. */
  states: Record<SlotState, number>
  /** Slots on average; null for a stage without. */
  slots: number | null
  inPerSecond: number
  outPerSecond: number
  attemptsPerSecond: number
  /** Mean duration of one attempt; null when none ended. */
  latencyMs: number | null
  /** What an attempt took at best over a window, since the start; null while unknown. */
  bestLatencyMs: number | null
  /** Of the thread, a record. */
  cpuMsPerRecord: number
  /** Of the time, for which this was why nothing more was started; sums to 1. */
  reasons: Record<string, number>
  mark: 'bottleneck' | 'pushed-back' | 'starved' | null
}

export interface SourceDiagnosis {
  name: string
  states: Record<LaneState, number>
  inPerSecond: number
  /** Null when the broker cannot tell. */
  arrivalsPerSecond: number | null
  backlogRecords: number | null
}

export interface FlowDiagnosis {
  completionPerSecond: number
  /** From the source's timestamp to completion: mean of those that completed in the window; null when none did. */
  latencyMs: number | null
  /** Since the start. */
  latencySinceStartMs: LatencyStatus
  queueAgeMs: number
  /** Into the broker; null when it cannot tell. */
  arrivalsPerSecond: number | null
  pulledPerSecond: number
  backlogRecords: number | null
  /** Records a second by which the backlog grows; null when unknown. */
  backlogSlope: number | null
  /** The most that the bottleneck lets through, as far as is known; null while nothing binds and nothing is known. */
  capacityPerSecond: number | null
}

export interface ProcessDiagnosis {
  /** Share of the time in which the event loop was not waiting. */
  loopUtilisation: number
  /** Share of the time in garbage collection. */
  gcShare: number
  /** Loop time that belongs to no stage and is no collection, as a share of the time. */
  unattributedShare: number
  /** Thread CPU ÷ time in which the loop was busy; null where the platform does not tell. */
  cpuPerBusy: number | null
  heapUsedBytes: number
  heapLimitBytes: number
  rssBytes: number
}

export type AutoscaleAction = 'up' | 'down' | 'hold'

/** How many processes there should be, and why; see `docs/tuning.md`. */
export interface Autoscale {
  desired: number
  current: number
  action: AutoscaleAction
  reason: string
  /** Processes that the arrivals and the backlog call for. */
  need: number
  /** The most that would help. */
  cap: number
  /** What one process completes a second when it has enough to do; null while unknown. */
  perReplicaPerSecond: number | null
  sentence: string
}

/** The three classic mistakes, each with the sentence that says so. */
export interface Mistake {
  mistake: 'concurrency-past-the-knee' | 'queue-in-memory' | 'throughput-over-latency'
  stage: string | null
  sentence: string
  evidence: Evidence[]
}

/** One frame of a CPU profile, mapped to the stage whose function is on the stack. */
export interface ProfileFrame {
  function: string
  /** File name and line, without the folders above the package or project. */
  where: string
  /** Of the time on the thread. */
  share: number
  /** Null: code of no stage. */
  stage: string | null
}

export interface Profile {
  durationMs: number
  /** By stage, share of the time on the thread; `null` in `frames` is what is left. */
  stages: Record<string, number>
  foreignShare: number
  frames: ProfileFrame[]
}

export interface Diagnosis {
  schema: 1
  pipeline: string
  state: Status['state']
  atMs: number
  /** What the figures are of. */
  window: { ms: number; completions: number }
  health: Health
  verdict: Verdict
  flow: FlowDiagnosis
  /** Those that help first, then the safe ones, then those that hurt. */
  knobs: Knob[]
  stages: StageDiagnosis[]
  sources: SourceDiagnosis[]
  process: ProcessDiagnosis
  places: WaitStatus[]
  placesCheck: PlacesCheck
  hotKeys: HotKey[]
  partitions: PartitionDiagnosis[]
  /** The last first, at most 32. */
  lastFailures: FailureStatus[]
  selfChecks: {
    /** |Σ states − slots × time| / (slots × time), largest; above 0.01 the meter is defective. */
    statesError: number
    /** |L − X·W| / L, largest. */
    littleError: number
    holds: boolean
  }
  autoscale: Autoscale
  mistakes: Mistake[]
  /** Only when it was asked for. */
  profile: Profile | null
}
