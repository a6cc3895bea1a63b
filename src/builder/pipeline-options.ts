/**
 * The options of a pipeline as a whole and of its sources: range, unit, default, and when to raise or lower each.
 * `options.ts` gathers them; the builder parses with them. Invariant: an option that is not declared is refused.
 */
import { z } from 'zod'
import type { FailurePolicy } from '../model/plan.ts'
import { KIB, MAX_TIMER_MS, MIB } from '../model/units.ts'
import { choice, described, MOST_BYTES, MOST_RECORDS, made, text, whole, wholeOr } from './option.ts'
import { isFailurePolicy } from './recognize.ts'

/** `onFailure`, which every place that a record can fail at has. */
export const onFailure = (about: string, fallback: string) =>
  made<FailurePolicy>({
    accepts: isFailurePolicy,
    expected: 'stop(), skip() or deadLetter(sink)',
    fallback,
    about,
  })

export const pipelineSchema = z.strictObject({
  admission: described(
    z
      .strictObject({
        records: whole({
          unit: 'records',
          min: 1,
          max: MOST_RECORDS,
          fallback: 10_000,
          about: 'Records in flight at most, those the client library prefetched included.',
          raise: 'slots idle for want of records although there is backlog',
          lower: 'end-to-end latency is mostly waiting inside the pipeline',
        }),
        bytes: whole({
          unit: 'bytes',
          min: KIB,
          max: MOST_BYTES,
          fallback: 64 * MIB,
          about: 'Bytes in flight at most.',
          raise: 'records are large, the gate says `bytes`, and memory is free',
          lower: 'the process comes near its memory limit',
        }),
        residenceMs: whole({
          unit: 'milliseconds',
          min: 1,
          max: MAX_TIMER_MS,
          fallback: 10_000,
          about: 'In flight stays under completions a second × this, so that queues are sized in time.',
          raise: 'calls are slow or batches linger, and the gate says `residence` while slots idle',
          lower: 'a record must not wait that long once it was pulled',
        }),
        maxRecordBytes: wholeOr({
          unit: 'bytes',
          min: 1,
          max: MOST_BYTES,
          fallback: '1,048,576, or `bytes` if that is less',
          about: 'A larger record is not decoded but fails as oversized.',
          raise: 'larger records are legitimate',
          lower: 'larger records are mistakes that should be stopped at the door',
        }),
        uncommittedRecords: whole({
          unit: 'records',
          min: 1,
          max: 100_000_000,
          fallback: 1_000_000,
          about: 'Records that a partition may have delivered and not yet committed: the most that a crash repeats.',
          raise: 'one stuck record stops a partition that could run far ahead',
          lower: 'repeating that many records after a crash costs too much',
        }),
      })
      .prefault({}),
    { expected: 'an object of options', fallback: 'see below', about: 'How much may be inside the pipeline at once.' },
  ),
  commit: described(
    z
      .strictObject({
        intervalMs: whole({
          unit: 'milliseconds',
          min: 1,
          max: MAX_TIMER_MS,
          fallback: 1_000,
          about: 'Progress is stored this often.',
          raise: 'commits are a visible share of the load on the broker',
          lower: 'fewer records should be repeated after a crash',
        }),
        records: wholeOr({
          unit: 'records',
          min: 1,
          max: MOST_RECORDS,
          fallback: 'half as many as are in flight, from 1,000 on',
          about: 'Commit earlier once this many records completed, but not within 50 ms of the commit before.',
          raise: 'at high rates commits follow each other too closely',
          lower: 'fewer records should be repeated after a crash',
        }),
      })
      .prefault({}),
    { expected: 'an object of options', fallback: 'see below', about: 'How often progress is stored.' },
  ),
  delivery: choice({
    words: ['at-least-once', 'exactly-once'],
    fallback: "'at-least-once'",
    about:
      'With `exactly-once` outputs and progress are committed in one transaction; sources and sinks must be of one cluster that can.',
  }),
  transaction: described(
    z
      .strictObject({
        intervalMs: whole({
          unit: 'milliseconds',
          min: 1,
          max: 900_000,
          fallback: 1_000,
          about: 'A transaction ends this long after its first write, and readers see its records only then.',
          raise: 'the ends of transactions (COMMIT) are a visible share of the time',
          lower: 'readers should see results sooner',
        }),
        records: whole({
          unit: 'records',
          min: 1,
          max: MOST_RECORDS,
          fallback: 10_000,
          about: 'It ends earlier once it holds this many records; they stay in flight until then.',
          raise: 'at high rates transactions follow each other too closely, and `admission` has room for twice as many',
          lower: 'fewer records should be written again after a failure',
        }),
        id: text({
          fallback: 'a name of its own in each run',
          about:
            'Names this instance, the same after a restart and different from every other: a restart then ends at once what the process before it left open.',
        }),
        timeoutMs: whole({
          unit: 'milliseconds',
          min: 1_000,
          max: 900_000,
          fallback: 60_000,
          about: 'The broker aborts a transaction whose owner has gone after this; readers wait for it that long.',
          raise: 'transactions are aborted because the broker or the network pauses',
          lower: 'others should go on sooner after a process was killed that had no `id`',
        }),
      })
      .prefault({}),
    {
      expected: 'an object of options',
      fallback: 'see below',
      about: 'How long transactions are, with `exactly-once`.',
    },
  ),
  drainMs: whole({
    unit: 'milliseconds',
    min: 0,
    max: MAX_TIMER_MS,
    fallback: 25_000,
    about: 'How long a stop lets records in flight finish; what is left is given back to the broker.',
    raise: 'records are given back at each deploy and the platform allows a longer stop',
    lower: 'the platform kills the process sooner (Kubernetes: 30 s by default)',
  }),
  revokeGraceMs: whole({
    unit: 'milliseconds',
    min: 0,
    max: MAX_TIMER_MS,
    fallback: 20_000,
    about: 'How long a partition that is being taken away may take to finish before it is fenced.',
    raise: 'rebalances make records run twice',
    lower: 'rebalances take too long for the group',
  }),
  onFailure: onFailure(
    'What becomes of a record that failed for good, wherever a stage or source does not say otherwise.',
    'stop()',
  ),
})

export const sourceSchema = z.strictObject({
  onFailure: onFailure('What becomes of a record that does not decode or is too large.', "the pipeline's"),
})
