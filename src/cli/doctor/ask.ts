/** Asks a console for its diagnosis. Every way in which that can fail ends in a sentence with what to do. */
import type { RefusalDocument } from '../../console/documents.ts'
import type { Diagnosis } from '../../model/diagnosis.ts'
import { describe } from '../../model/errors.ts'
import { CliFailure, EXIT } from '../failure.ts'

const ANSWER_MS = 5_000
/** The profile itself takes two seconds. */
const PROFILE_ANSWER_MS = 15_000

export async function askDiagnosis(origin: string, token: string | null): Promise<Diagnosis> {
  return parsed(origin, await ask(origin, token, '/diagnosis', 'GET', ANSWER_MS))
}

/** Resolves when the profile is taken: the next diagnosis has it. */
export async function askProfile(origin: string, token: string | null): Promise<void> {
  await ask(origin, token, '/profile', 'POST', PROFILE_ANSWER_MS)
}

async function ask(
  origin: string,
  token: string | null,
  path: string,
  method: string,
  withinMs: number,
): Promise<string> {
  let response: Response
  try {
    response = await fetch(origin + path, {
      method,
      headers: token === null ? {} : { authorization: `Bearer ${token}` },
      redirect: 'error',
      signal: AbortSignal.timeout(withinMs),
    })
  } catch (thrown) {
    throw unreachable(origin, thrown, withinMs)
  }
  const text = await response.text()
  if (response.ok) return text
  throw refused(origin, response.status, text, token)
}

function parsed(origin: string, text: string): Diagnosis {
  try {
    const diagnosis = JSON.parse(text) as Diagnosis
    if (diagnosis.schema === 1) return diagnosis
  } catch {
    // Not a console at all.
  }
  throw new CliFailure(`${origin} did not answer with a diagnosis that this version understands`, {
    exitCode: EXIT.failed,
    advice: 'Is that address a Headgate console? Use one version of Headgate on both sides.',
  })
}

function unreachable(origin: string, thrown: unknown, withinMs: number): CliFailure {
  const slow = thrown instanceof Error && thrown.name === 'TimeoutError'
  return new CliFailure(
    slow
      ? `the console at ${origin} has not answered for ${withinMs / 1000} s`
      : `there is no answer from ${origin}: ${describe(thrown)}`,
    {
      exitCode: EXIT.failed,
      advice: slow
        ? 'Its event loop may be blocked: look at the CPU of the process, and ask again.'
        : 'Does the pipeline still run, with --console? Is the address right, and reachable from here?',
      cause: thrown,
    },
  )
}

function refused(origin: string, status: number, text: string, token: string | null): CliFailure {
  const advice =
    status === 401
      ? `${token === null ? 'No token was given' : 'The token is of another run'}: set HEADGATE_CONSOLE_TOKEN, or give the whole link (\`headgate doctor --link\` prints it on the machine of the pipeline).`
      : status === 403
        ? 'Use the address of the machine, or start the console with --console-host and this name.'
        : 'The log of the pipeline may say more.'
  return new CliFailure(`${origin} refused: ${reasonOf(text) || `status ${status}`}`, { exitCode: EXIT.failed, advice })
}

function reasonOf(text: string): string {
  try {
    return (JSON.parse(text) as RefusalDocument).error.message
  } catch {
    return ''
  }
}
