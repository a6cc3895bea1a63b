/** Figures that a finding rests on, each with what it says. */
import type { Evidence } from '../model/diagnosis.ts'

export function share(name: string, value: number, meaning: string): Evidence {
  return { name, value, unit: 'share', meaning }
}

export function milliseconds(name: string, value: number, meaning: string): Evidence {
  return { name, value, unit: 'ms', meaning }
}

export function perSecond(name: string, value: number, meaning: string): Evidence {
  return { name, value, unit: '/s', meaning }
}

export function plain(name: string, value: number, unit: string, meaning: string): Evidence {
  return { name, value, unit, meaning }
}
