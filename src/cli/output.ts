/**
 * What the commands write to: standard output for results and data, standard error for everything said about them.
 * One place decides about colour and about the live view, so that a pipe or a file never receives an escape code.
 */

export interface Output {
  /** Results: data another program may read. */
  readonly data: (text: string) => void
  /** Said to the person at the terminal, one line or more. */
  readonly say: (text: string) => void
}

export const OUTPUT: Output = {
  data: (text) => void process.stdout.write(`${text}\n`),
  say: (text) => void process.stderr.write(`${text}\n`),
}

/** Colour on this stream: a terminal that has it, unless NO_COLOR is set. */
export function colourOn(stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv = process.env): boolean {
  if (!stream.isTTY || env['NO_COLOR'] || env['TERM'] === 'dumb') return false
  return stream.hasColors(env)
}

/** True when both streams are a terminal that can redraw: only then does a live view disturb nobody. */
export function canRedraw(env: NodeJS.ProcessEnv = process.env): boolean {
  return Boolean(process.stdout.isTTY && process.stderr.isTTY) && env['TERM'] !== 'dumb' && !env['CI']
}

/** Resolves when what was written has left the process; a closed pipe counts as left. */
export async function flush(): Promise<void> {
  const streams = [process.stdout, process.stderr]
  await Promise.all(
    streams.map(
      (stream) =>
        new Promise<void>((resolve) => {
          if (stream.destroyed || !stream.writable) resolve()
          else stream.write('', () => resolve())
        }),
    ),
  )
}
