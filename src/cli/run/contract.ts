/**
 * The part of a pipeline that the command line uses. A pipeline file is loaded from its own package, so its objects
 * are recognised by their brand and never by `instanceof`: two copies of Headgate must not refuse each other.
 */
import type { ConsoleTarget } from '../../console/server/target.ts'
import type { Plan } from '../../model/plan.ts'
import type { Running, StartOptions } from '../../runtime/start.ts'

export const PIPELINE_BRAND = Symbol.for('headgate.pipeline')

export type StartedPipeline = Pick<Running, 'status' | 'drain' | 'stop' | 'done' | 'waitingFor' | 'learned'> &
  ConsoleTarget

export interface LoadedPipeline {
  readonly plan: Plan
  start(options?: Pick<StartOptions, 'log' | 'learned' | 'doctor'>): Promise<StartedPipeline>
}

export function isPipeline(value: unknown): value is LoadedPipeline {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  return (value as Record<symbol, unknown>)[PIPELINE_BRAND] === true
}
