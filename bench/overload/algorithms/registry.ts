/**
 * The algorithms by name. Headgate's own is loaded when it is asked for, so that the lab also runs in a tree that does
 * not have it; it is then listed as missing.
 */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Gate } from '../../../src/sim/scenario.ts'
import { Fixed } from './fixed.ts'

export interface Algorithm {
  readonly name: string
  /** Constructs the gate of one client. */
  make(seed: number, nowMs: number): Gate
}

export const HEADGATE = 'headgate'

const BASELINES: readonly Algorithm[] = [{ name: 'fixed 1000', make: () => new Fixed(1000) }]

interface ControllerModule {
  readonly Controller: new (options: { readonly seed: number }, nowMs: number) => Gate
}

async function headgate(): Promise<Algorithm | null> {
  const file = new URL('../../../src/control/controller.ts', import.meta.url)
  if (!existsSync(fileURLToPath(file))) return null
  const { Controller } = (await import(file.href)) as ControllerModule
  return { name: HEADGATE, make: (seed, nowMs) => new Controller({ seed }, nowMs) }
}

/** All of them, Headgate first; those that are not there by name. */
export async function loadAlgorithms(): Promise<{ algorithms: Algorithm[]; missing: string[] }> {
  const ours = await headgate()
  return ours === null
    ? { algorithms: [...BASELINES], missing: [HEADGATE] }
    : { algorithms: [ours, ...BASELINES], missing: [] }
}
