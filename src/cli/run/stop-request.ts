/**
 * Who may end a run, and how: the first signal (or `--for`) asks for a drain, a second signal ends the process at
 * once, and an error that nobody caught stops the pipeline. `run` installs this before it starts anything, so that no
 * signal falls into a gap.
 */

export type StopReason =
  | { readonly kind: 'signal'; readonly signal: NodeJS.Signals }
  | { readonly kind: 'time' }
  | { readonly kind: 'crash'; readonly error: unknown }

export interface StopRequest {
  /** Resolves at the first reason to stop. */
  readonly first: Promise<StopReason>
  /** Ask for a drain after this long. */
  after(ms: number): void
  dispose(): void
}

const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const

/** `atOnce` is told the exit code on a second signal; it must end the process. */
export function listenForStop(atOnce: (exitCode: number) => void): StopRequest {
  let ask: (reason: StopReason) => void = () => {}
  const first = new Promise<StopReason>((resolve) => {
    ask = resolve
  })
  let signals = 0
  let timer: NodeJS.Timeout | undefined

  const onSignal = (signal: NodeJS.Signals): void => {
    signals += 1
    if (signals > 1) atOnce(SIGNALS[signal as keyof typeof SIGNALS])
    else ask({ kind: 'signal', signal })
  }
  const onCrash = (error: unknown): void => ask({ kind: 'crash', error })

  for (const signal of Object.keys(SIGNALS)) process.on(signal, onSignal)
  process.on('uncaughtException', onCrash)
  return {
    first,
    after(ms) {
      timer = setTimeout(() => ask({ kind: 'time' }), ms)
    },
    dispose() {
      clearTimeout(timer)
      for (const signal of Object.keys(SIGNALS)) process.off(signal, onSignal)
      process.off('uncaughtException', onCrash)
    },
  }
}
