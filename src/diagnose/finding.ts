/** What a rule says: who holds the pipeline back and why, and the figures that it rests on. */
import type { CauseKind, Evidence } from '../model/diagnosis.ts'

/** A cause that a rule found. */
export interface Finding {
  readonly bottleneck: string | null
  readonly kind: CauseKind
  /** 0: just over the threshold; 1: as clear as can be. */
  readonly margin: number
  readonly evidence: readonly Evidence[]
  /** It has been seen for long enough already: it is said at once. */
  readonly certain?: true
}
