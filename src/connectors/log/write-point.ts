/** The moments of a write at which a crash could happen, in order. Tests stop the process at each of them. */
export type WritePoint = 'queued' | 'begin' | 'put' | 'written' | 'committed'
