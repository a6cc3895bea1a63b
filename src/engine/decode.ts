/** The first step of every record: refuse what is oversized, then decode the payload where the source has a decoder. */
import type { Source } from '../model/connector.ts'
import { HeadgateError } from '../model/errors.ts'
import type { FailurePolicy, SyncStagePlan } from '../model/plan.ts'
import { formatBytes } from '../model/units.ts'

/** A synchronous step; one with `maxRecordBytes` refuses larger records before its function sees them. */
export interface Step extends SyncStagePlan {
  readonly maxRecordBytes?: number
}

/** What a source without a decoder has in its place: there is nothing to run. */
export const AS_IT_IS = (value: unknown): unknown => value

export function decodeStep(name: string, source: Source, maxRecordBytes: number, onFailure: FailurePolicy): Step {
  const { decode } = source
  if (decode === undefined) return { kind: 'tap', name, fn: AS_IT_IS, onFailure, maxRecordBytes }
  return { kind: 'map', name, fn: decode as SyncStagePlan['fn'], onFailure, maxRecordBytes }
}

export function oversized(bytes: number, maxRecordBytes: number): HeadgateError {
  return new HeadgateError(
    'HG_RECORD_REJECTED',
    `the record has ${formatBytes(bytes)}, more than admission.maxRecordBytes (${formatBytes(maxRecordBytes)})`,
  )
}
