/** What a sink stage makes of an answer that is wrong, and of an outcome that no retry can change. */
import { HeadgateError } from '../model/errors.ts'

export function miscounted(sink: string, outcomes: number, records: number): HeadgateError {
  const text = `sink '${sink}' gave ${outcomes} outcomes for ${records} records; it must give one for each`
  return new HeadgateError('HG_INVARIANT', text)
}

export function rejected(error: HeadgateError): HeadgateError {
  return error.code === 'HG_RECORD_REJECTED'
    ? error
    : new HeadgateError('HG_RECORD_REJECTED', error.message, { cause: error })
}
