/** The first step of every record: refuse what is oversized, then decode the payload where the source has a decoder. */
import type { Source } from '../model/connector.ts'
import { HeadgateError } from '../model/errors.ts'
import type { FailurePolicy, SyncStagePlan } from '../model/plan.ts'
import type { RecordInfo } from '../model/record.ts'
import { formatBytes } from '../model/units.ts'

export function decodeStep(
  name: string,
  source: Source,
  maxRecordBytes: number,
  onFailure: FailurePolicy,
): SyncStagePlan {
  const { decode } = source
  const checkSize = (record: RecordInfo): void => {
    if (record.bytes <= maxRecordBytes) return
    throw new HeadgateError(
      'HG_RECORD_REJECTED',
      `the record has ${formatBytes(record.bytes)}, more than admission.maxRecordBytes (${formatBytes(maxRecordBytes)})`,
    )
  }
  if (decode === undefined) {
    return { kind: 'tap', name, fn: (_value: unknown, record: RecordInfo) => checkSize(record), onFailure }
  }
  const fn = (raw: unknown, record: RecordInfo): unknown => {
    checkSize(record)
    return decode(raw, record)
  }
  return { kind: 'map', name, fn, onFailure }
}
