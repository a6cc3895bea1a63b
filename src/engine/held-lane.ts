/** A lane as the items and the lots see it whose records are in it; `lanes.ts` has the lanes, and knows both. */
export interface HeldLane {
  /** The holder has left: the next in line holds the key. */
  leave(): void
  /** A record whose last lane this was is in another one now, or has ended. */
  release(): void
  /** Whether the record of this row of a lot holds the key. */
  isHeldByRow(lot: object, row: number): boolean
  /** The row that holds the key became an item. */
  holdItem(item: object): void
}
