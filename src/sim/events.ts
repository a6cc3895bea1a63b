/** The kinds of events on the agenda. The argument of each is in brackets. */

/** A call reaches the downstream (call). */
export const ARRIVE = 1
/** A server is done with a call (call). */
export const FINISH = 2
/** An answer reaches its client (call). */
export const ANSWER = 3
/** A client asked to be asked again (client). */
export const WAKE = 4
/** The oldest call of a client may have been out for too long (client). */
export const TIMEOUT = 5
/** The next phase begins (phase). */
export const PHASE = 6
/** A record arrives (client). */
export const RECORD = 7
/** The downstream stands still for a moment (phase). */
export const PAUSE = 8
/** Somebody else's call arrives (phase). */
export const OTHERS = 9
/** The round trip takes a step (phase). */
export const WALK = 10
/** Time to write down where everything stands (0). */
export const SAMPLE = 11
