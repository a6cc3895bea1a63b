/**
 * An exactly-once pipeline as a process: `exactly-once.ts OPTIONS`. It says when it runs and how it ended; SIGTERM
 * drains it.
 */
import type { Running } from '../../../../../src/index.ts'
import { say } from '../../../log/children/say.ts'
import { type ExactlyOnceOptions, exactlyOnce } from '../flow.ts'

const options = JSON.parse(process.argv[2] as string) as ExactlyOnceOptions
let running: Running | null = null
process.once('SIGTERM', () => void running?.drain())
running = await exactlyOnce(options).start()
say({ running: process.pid })
const { error } = await running.done
say({ ended: error?.message ?? 'well' })
process.exit(error === null ? 0 : 1)
