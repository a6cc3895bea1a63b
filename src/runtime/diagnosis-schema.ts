/**
 * The schema of a diagnosis: the shape of `model/diagnosis.ts` with descriptions, units and ranges.
 * `schema/diagnosis.schema.json` is generated from it. A type-level assertion at the end refuses to compile when the
 * two shapes differ.
 */
import { z } from 'zod'
import { CAUSE_KINDS, type Diagnosis, HEALTH_KINDS } from '../model/diagnosis.ts'
import {
  type Expand,
  failure,
  keyShare,
  laneSeconds,
  latency,
  place,
  type Same,
  stateSeconds,
} from './status-schema.ts'

const text = (description: string) => z.string().describe(description)
const amount = (description: string) => z.number().describe(description)
const maybe = (description: string) => z.number().nullable().describe(description)
const owner = z.string().nullable().describe('The stage or source; null for the process as a whole, or nothing.')
const kind = z.enum(CAUSE_KINDS).describe('What kind of cause it is.')

const evidence = z
  .strictObject({
    name: text('What was measured.'),
    value: amount('The figure.'),
    unit: text('share, ms, /s, records, bytes, s, × or empty.'),
    meaning: text('What it says.'),
  })
  .describe('A figure that a verdict rests on.')

const candidateShape = {
  bottleneck: owner,
  kind,
  confidence: z.number().min(0).max(1).describe('How certain it is; below 0.5 the second may as well be the cause.'),
  sentence: text('In plain words.'),
}

const health = z
  .strictObject({
    kind: z.enum(HEALTH_KINDS).describe('How the pipeline is.'),
    fallingBehind: z.boolean().describe('Throttled, and more arrives than the limit lets through.'),
    etaMs: z
      .strictObject({ low: amount('At the earliest, ms.'), high: amount('At the latest, ms.') })
      .nullable()
      .describe('Until what waits is gone; null unless it shrinks.'),
    breachMs: maybe('Until the oldest record is older than what was promised, ms; null when that does not come near.'),
    metastable: z.boolean().describe('A retry storm that has lasted for 30 s.'),
    sentence: text('In plain words.'),
  })
  .describe('How it is.')

const verdict = z
  .strictObject({
    ...candidateShape,
    evidence: z.array(evidence).describe('What it rests on.'),
    second: z.strictObject(candidateShape).nullable().describe('What else it could be.'),
    sinceMs: amount('Since when, ms since the Unix epoch.'),
  })
  .describe('What holds it back.')

const flow = z
  .strictObject({
    completionPerSecond: amount('Records completed a second.'),
    latencyMs: maybe("Mean from the source's timestamp to completion, ms; null when none completed."),
    latencySinceStartMs: latency("From the source's timestamp to completion since the start, ms."),
    queueAgeMs: amount('Age of the oldest record that is not completed, ms.'),
    arrivalsPerSecond: maybe('Into the brokers; null when they cannot tell.'),
    pulledPerSecond: amount('Records pulled a second.'),
    backlogRecords: maybe('In the brokers; null when unknown.'),
    backlogSlope: maybe('Growth of it, records a second; null when unknown.'),
    capacityPerSecond: maybe('The most it lets through, as far as is known.'),
  })
  .describe('What flows.')

const knob = z
  .strictObject({
    knob: text('What to turn.'),
    setting: z.enum([
      'concurrency', 'rate', 'batch-records', 'pool', 'keys', 'partitions', 'replicas', 'downstream', 'own-code',
      'admission', 'commit', 'fetch', 'retry-budget', 'heap',
    ]), // biome-ignore format: a list reads better in rows
    stage: owner,
    from: maybe('Present value.'),
    to: maybe('Proposed value.'),
    predicted: z.strictObject({
      completionPerSecond: amount('Completion rate after the turn.'),
      latencyMs: maybe('Of one attempt after the turn, ms.'),
    }),
    gainRatio: amount('Predicted ÷ present completion rate.'),
    nextBottleneck: z.strictObject({ stage: owner, kind }).nullable().describe('What holds it back then.'),
    advice: z.enum(['turn', 'safe', 'hurts']).describe('Helps; costs nothing and relieves something; makes it worse.'),
    live: z.boolean().describe('Whether it can be turned while it runs.'),
    sentence: text('In plain words.'),
  })
  .describe('A knob, and what turning it would do.')

const stage = z
  .strictObject({
    name: text('The stage.'),
    kind: text('Its kind.'),
    states: stateSeconds("Share of the slots' time in each state."),
    slots: maybe('On average; null for a stage without.'),
    inPerSecond: amount('Records in.'),
    outPerSecond: amount('Records out.'),
    attemptsPerSecond: amount('Attempts.'),
    latencyMs: maybe('Mean of one attempt, ms.'),
    bestLatencyMs: maybe('What one takes beside few others, ms.'),
    cpuMsPerRecord: amount('Of the thread, ms a record.'),
    reasons: z.record(z.string(), z.number()).describe('Share of the time for which each reason held.'),
    mark: z.enum(['bottleneck', 'pushed-back', 'starved']).nullable().describe('How it stands to the bottleneck.'),
  })
  .describe('One stage.')

const source = z
  .strictObject({
    name: text('The source.'),
    states: laneSeconds("Share of its lane's time in each state."),
    inPerSecond: amount('Records delivered.'),
    arrivalsPerSecond: maybe('Into the broker.'),
    backlogRecords: maybe('In the broker.'),
  })
  .describe('One source.')

const partition = z
  .strictObject({
    source: text('The source.'),
    partition: text('The partition.'),
    share: amount('Of what the source delivered.'),
    lagRecords: maybe('In the broker.'),
    lagMs: maybe('Age of the oldest record that is not committed, delivered or in the broker, ms.'),
    queuedRecords: amount('Delivered and not completed.'),
    uncommittedRecords: amount('Completed and not committed.'),
    watermark: amount('Everything below this offset is done.'),
    oldestMs: maybe('Age of the oldest record delivered and not completed, ms.'),
  })
  .describe('One partition.')

export const diagnosisSchema = z
  .strictObject({
    schema: z.literal(1).describe('Version of this schema.'),
    pipeline: text('The name of the pipeline.'),
    state: z.enum(['starting', 'running', 'paused', 'draining', 'stopped', 'failed']),
    atMs: amount('When it was made, ms since the Unix epoch.'),
    window: z.strictObject({ ms: amount('Length, ms.'), completions: amount('Records that completed in it.') }),
    health,
    verdict,
    flow,
    knobs: z.array(knob).describe('Those that help first, then the safe ones, then those that hurt.'),
    stages: z.array(stage).describe('In the order of the flow.'),
    sources: z.array(source).describe('The sources.'),
    process: z
      .strictObject({
        loopUtilisation: amount('Share of the time in which the event loop was busy.'),
        gcShare: amount('Share of the time in garbage collection.'),
        unattributedShare: amount('Share of the time in code of no stage.'),
        cpuPerBusy: maybe('CPU ÷ time in which the loop was busy; null when it hardly was.'),
        heapUsedBytes: amount('Heap in use, bytes.'),
        heapLimitBytes: amount('The most it may be, bytes.'),
        rssBytes: amount('Resident memory, bytes.'),
      })
      .describe('The process.'),
    places: z.array(place).describe('In the order of the flow.'),
    placesCheck: z
      .strictObject({
        records: amount('In all places but the backlogs.'),
        items: amount('What the admitted records are in the stages: more after a flatMap, fewer in batches.'),
        admitted: amount('Let in and not settled.'),
        holds: z.boolean().describe('Whether the places add up to the items.'),
      })
      .describe('Whether the places add up.'),
    hotKeys: z.array(keyShare).describe('Keys that many records have.'),
    partitions: z.array(partition).describe('The partitions assigned here.'),
    lastFailures: z.array(failure).describe('The last first.'),
    selfChecks: z
      .strictObject({
        statesError: amount('|Σ states − slots × time| ÷ (slots × time), largest.'),
        littleError: amount('|L − X·W| ÷ L, largest.'),
        holds: z.boolean().describe('Both are small.'),
      })
      .describe('What the meter says about itself.'),
    autoscale: z
      .strictObject({
        desired: amount('Processes that there should be.'),
        current: amount('Processes that there are.'),
        action: z.enum(['up', 'down', 'hold']),
        reason: text('Why.'),
        need: amount('Processes that the arrivals and the backlog call for.'),
        cap: amount('The most that would help.'),
        perReplicaPerSecond: maybe('What one process completes a second.'),
        sentence: text('In plain words.'),
      })
      .describe('The autoscaling signal.'),
    mistakes: z
      .array(
        z.strictObject({
          mistake: z.enum(['concurrency-past-the-knee', 'queue-in-memory', 'throughput-over-latency']),
          stage: owner,
          sentence: text('In plain words.'),
          evidence: z.array(evidence),
        }),
      )
      .describe('Classic mistakes that are being made.'),
    profile: z
      .strictObject({
        durationMs: amount('Length, ms.'),
        stages: z.record(z.string(), z.number()).describe('Share of the time on the thread, by stage.'),
        foreignShare: amount('Share of the time in code of no stage.'),
        frames: z.array(
          z.strictObject({
            function: text('Its name.'),
            where: text('File and line.'),
            share: amount('Of the time on the thread.'),
            stage: z.string().nullable().describe('Null: code of no stage.'),
          }),
        ),
      })
      .nullable()
      .describe('A CPU profile, where one was asked for.'),
  })
  .describe('The diagnosis of a pipeline.')

/** The JSON Schema (draft 2020-12) of a diagnosis, as it is published in `headgate/diagnosis.schema.json`. */
export function diagnosisJsonSchema(): object {
  const { $schema, ...rest } = z.toJSONSchema(diagnosisSchema)
  return { $schema, title: 'Headgate diagnosis', ...rest }
}

/** Fails to compile when `Diagnosis` and the schema are not the same shape, field by field. */
type Assert<T extends true> = T
export type SchemaMatchesDiagnosis = Assert<Same<Expand<z.infer<typeof diagnosisSchema>>, Expand<Diagnosis>>>
