/**
 * Keeps other writers from tearing the live view: while it is drawn, whole lines written to standard output or error
 * (a handler's `console.log`, say) are handed over and printed above it. Used by the live view alone. Only terminals
 * are captured: a stream that leads to a file or a pipe is left untouched.
 */

export interface Capture {
  /** The streams write for themselves again; an unfinished line is handed over first. */
  release(): void
}

type Write = NodeJS.WriteStream['write']

export function captureLines(streams: readonly NodeJS.WriteStream[], print: (lines: string) => void): Capture {
  const originals = streams
    .filter((stream) => stream.isTTY)
    .map((stream) => ({
      stream,
      // oxlint-disable-next-line typescript/unbound-method -- kept to be put back onto its stream, never called here
      write: stream.write,
    }))
  let unfinished = ''

  const take = (chunk: unknown, encoding?: unknown, callback?: unknown): boolean => {
    unfinished += typeof chunk === 'string' ? chunk : Buffer.from(chunk as Uint8Array).toString('utf8')
    const end = unfinished.lastIndexOf('\n')
    if (end >= 0) {
      const lines = unfinished.slice(0, end)
      unfinished = unfinished.slice(end + 1)
      print(lines)
    }
    const done = typeof encoding === 'function' ? encoding : callback
    if (typeof done === 'function') queueMicrotask(() => done(null))
    return true
  }

  for (const { stream } of originals) stream.write = take as Write
  return {
    release() {
      for (const { stream, write } of originals) stream.write = write
      if (unfinished) print(unfinished)
      unfinished = ''
    },
  }
}
