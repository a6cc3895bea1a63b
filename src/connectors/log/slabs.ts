/**
 * Memory that appends are encoded into, used again and again: fresh memory costs more than the copy into it (page
 * faults, and collections that V8 starts because of it). `append.ts` takes slabs and gives them back. Invariant: a slab
 * is given back only when nobody reads it any more, which is when its write step has settled.
 */
import { MIB } from '../../model/units.ts'

/** Slabs come in powers of two from here; what is larger than the largest is not kept. */
const SMALLEST_BITS = 12
const LARGEST_BITS = 19
/** What may lie here unused: as much as one transaction takes in. */
const KEPT_BYTES = 8 * MIB

const kept: Buffer[][] = []
let keptBytes = 0

const bitsFor = (bytes: number): number => Math.max(SMALLEST_BITS, 32 - Math.clz32(bytes - 1))

/** At least `bytes` long; what it holds is anything. */
export function takeSlab(bytes: number): Buffer {
  const bits = bitsFor(bytes)
  if (bits > LARGEST_BITS) return Buffer.allocUnsafeSlow(bytes)
  const slab = kept[bits]?.pop()
  if (!slab) return Buffer.allocUnsafeSlow(2 ** bits)
  keptBytes -= slab.length
  return slab
}

export function giveBackSlab(slab: Buffer): void {
  const bits = bitsFor(slab.length)
  if (bits > LARGEST_BITS || slab.length !== 2 ** bits || keptBytes + slab.length > KEPT_BYTES) return
  keptBytes += slab.length
  const alike = (kept[bits] ??= [])
  alike.push(slab)
}
