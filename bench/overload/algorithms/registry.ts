/**
 * The algorithms by name. Headgate's own is loaded when it is asked for, so that the lab also runs in a tree that does
 * not have it; it is then listed as missing.
 */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Gate } from '../../../src/sim/scenario.ts'
import { Aimd } from './aimd.ts'
import { Arc } from './arc.ts'
import { AwsAdaptive } from './aws.ts'
import { Envoy } from './envoy.ts'
import { Failsafe } from './failsafe.ts'
import { Fixed } from './fixed.ts'
import { Gradient2 } from './gradient2.ts'
import { Patient } from './patient.ts'
import { Vegas } from './vegas.ts'

export interface Algorithm {
  readonly name: string
  /** Constructs the gate of one client. */
  make(seed: number, nowMs: number): Gate
  /** The same without the client's own waiting, to measure what it costs. */
  bare(seed: number, nowMs: number): Gate
}

export const HEADGATE = 'headgate'

interface Limiter {
  readonly name: string
  make(seed: number, nowMs: number): Gate
}

const LIMITERS: readonly Limiter[] = [
  { name: 'vegas', make: (seed) => new Vegas(seed) },
  { name: 'gradient2', make: () => new Gradient2() },
  { name: 'envoy', make: (seed, nowMs) => new Envoy(seed, nowMs) },
  { name: 'vector arc', make: () => new Arc() },
  { name: 'failsafe', make: () => new Failsafe() },
  { name: 'aimd', make: () => new Aimd() },
  { name: 'aws adaptive', make: (_seed, nowMs) => new AwsAdaptive(nowMs) },
  { name: 'fixed 1000', make: () => new Fixed(1000) },
]

const BASELINES: readonly Algorithm[] = LIMITERS.map(({ name, make }) => ({
  name,
  make: (seed, nowMs) => new Patient(make(seed, nowMs), seed),
  bare: make,
}))

/** For the retry storms: failed records are sent again at once, without a limit and with a fixed one. */
export const STORMY: readonly Algorithm[] = [
  impatient('naive', Number.POSITIVE_INFINITY),
  impatient('fixed 1000, retries at once', 1000),
]

function impatient(name: string, limit: number): Algorithm {
  const make = (): Gate => new Fixed(limit)
  return { name, make, bare: make }
}

interface ControllerModule {
  readonly Controller: new (options: { readonly seed: number }, nowMs: number) => Gate
}

async function headgate(): Promise<Algorithm | null> {
  const file = new URL('../../../src/control/controller.ts', import.meta.url)
  if (!existsSync(fileURLToPath(file))) return null
  const { Controller } = (await import(file.href)) as ControllerModule
  const make = (seed: number, nowMs: number): Gate => new Controller({ seed }, nowMs)
  return { name: HEADGATE, make, bare: make }
}

/** All of them, Headgate first; those that are not there by name. */
export async function loadAlgorithms(): Promise<{ algorithms: Algorithm[]; missing: string[] }> {
  const ours = await headgate()
  return ours === null
    ? { algorithms: [...BASELINES], missing: [HEADGATE] }
    : { algorithms: [ours, ...BASELINES], missing: [] }
}
