/** What the console sees of a running pipeline, and all that it can do to it. */
import type { Running } from '../../runtime/start.ts'

export type ConsoleTarget = Pick<
  Running,
  | 'status'
  | 'diagnose'
  | 'look'
  | 'profile'
  | 'latencies'
  | 'limits'
  | 'options'
  | 'setLimits'
  | 'pause'
  | 'resume'
  | 'drain'
>
