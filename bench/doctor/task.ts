/**
 * The parts of the matrix that can be run apart from one another: each is a few words that say which trial to run, so
 * that it can be sent to another process, and its result is plain data that can be sent back.
 */
import { CAUSES, type Cause } from './causes.ts'
import { type ControlResult, runControl } from './controls.ts'
import { type Turned, turnAll } from './knobs.ts'
import { type Case, type PairCase, runPair, runSingle } from './matrix.ts'
import { type OnsetCase, runOnset } from './onset.ts'

export type Task =
  | { kind: 'single'; cause: string; left: number; load: number; seed: number }
  | { kind: 'pair'; one: string; other: string; left: readonly [number, number]; load: number; seed: number }
  | { kind: 'onset'; cause: string; left: number; seed: number }
  | { kind: 'control'; name: string; durationMs: number; seed: number }
  | { kind: 'knobs'; cause: string; left: number; load: number; seed: number }

export interface Results {
  single: Case
  pair: PairCase
  onset: OnsetCase
  control: ControlResult
  knobs: Turned[]
}

export type TaskOf<K extends Task['kind']> = Extract<Task, { kind: K }>

export function perform(task: Task): Results[Task['kind']] {
  switch (task.kind) {
    case 'single':
      return runSingle(causeOf(task.cause), task.left, task.load, task.seed)
    case 'pair':
      return runPair(causeOf(task.one), causeOf(task.other), task.left, task.load, task.seed)
    case 'onset':
      return runOnset(causeOf(task.cause), task.left, task.seed)
    case 'control':
      return runControl(task.name, task.seed, task.durationMs)
    case 'knobs':
      return turnAll(causeOf(task.cause), task.left, task.load, task.seed)
  }
}

function causeOf(name: string): Cause {
  const cause = CAUSES.find((each) => each.name === name)
  if (cause === undefined) throw new Error(`there is no cause '${name}'`)
  return cause
}
