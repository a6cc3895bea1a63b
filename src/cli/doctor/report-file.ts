/** A report of `headgate run --report` as a diagnosis of the whole run. A file that is something else is refused with what is wrong. */
import { readFileSync } from 'node:fs'
import { diagnose } from '../../diagnose/doctor.ts'
import type { Diagnosis } from '../../model/diagnosis.ts'
import { describe } from '../../model/errors.ts'
import { statusSchema } from '../../runtime/status-schema.ts'
import { CliFailure } from '../failure.ts'

export function readReport(path: string): Diagnosis {
  const status = statusSchema.safeParse(parsed(path))
  if (!status.success) {
    const [issue] = status.error.issues
    const where = issue && issue.path.length > 0 ? ` at \`${issue.path.join('.')}\`` : ''
    throw new CliFailure(
      `${path} is not a report of this version of Headgate: ${issue?.message ?? 'not understood'}${where}`,
      {
        advice: 'A report is what `headgate run FILE --report REPORT` writes; use the same version for both.',
      },
    )
  }
  return diagnose([status.data]) as Diagnosis
}

function parsed(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (thrown) {
    throw new CliFailure(`${path} cannot be read as a report: ${describe(thrown)}`, {
      advice: 'A report is the JSON file that `headgate run FILE --report REPORT` writes.',
      cause: thrown,
    })
  }
}
