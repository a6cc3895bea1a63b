/** One line of progress on standard error, rewritten in place; nothing at all unless that is a terminal. */

const EVERY_MS = 1_000

export interface ProgressLine {
  /** Shows the text, which is made only when it is time for it. */
  show(text: () => string): void
  clear(): void
}

export function progressLine(): ProgressLine {
  let lastMs = performance.now()
  let shown = false
  return {
    show(text) {
      if (!process.stderr.isTTY || performance.now() - lastMs < EVERY_MS) return
      lastMs = performance.now()
      shown = true
      process.stderr.write(`\r\u001b[K${text()}`)
    },
    clear() {
      if (shown) process.stderr.write('\r\u001b[K')
      shown = false
    },
  }
}
