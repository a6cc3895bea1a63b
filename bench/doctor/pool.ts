/**
 * Performs tasks in as many processes as there are to be, one task at a time in each, and says how far it is. A task's
 * result depends on nothing but the task, so the order in which they end changes no figure.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Results, Task, TaskOf } from './task.ts'

const WORKER = fileURLToPath(new URL('./worker.ts', import.meta.url))
const SAY_EVERY_MS = 15_000

export class Pool {
  readonly #workers: ChildProcess[]
  readonly #say: (text: string) => void

  constructor(processes: number, say: (text: string) => void) {
    this.#workers = Array.from({ length: processes }, () => fork(WORKER, { stdio: ['ignore', 2, 2, 'ipc'] }))
    this.#say = say
  }

  /** The results in the order of the tasks. Rejects when a process ends before its task does. */
  async performAll<K extends Task['kind']>(name: string, tasks: readonly TaskOf<K>[]): Promise<Results[K][]> {
    const results = new Array<Results[K]>(tasks.length)
    const startMs = performance.now()
    let next = 0
    let done = 0
    let saidMs = startMs
    const work = async (worker: ChildProcess): Promise<void> => {
      for (let at = next++; at < tasks.length; at = next++) {
        results[at] = await performIn<K>(worker, tasks[at] as TaskOf<K>)
        done += 1
        const nowMs = performance.now()
        if (done < tasks.length && nowMs - saidMs < SAY_EVERY_MS) continue
        saidMs = nowMs
        this.#say(`${name}: ${done} of ${tasks.length}, ${((nowMs - startMs) / 1000).toFixed(0)} s`)
      }
    }
    await Promise.all(this.#workers.map(work))
    return results
  }

  close(): void {
    for (const worker of this.#workers) if (worker.connected) worker.disconnect()
  }
}

function performIn<K extends Task['kind']>(worker: ChildProcess, task: TaskOf<K>): Promise<Results[K]> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null): void =>
      reject(new Error(`the process of ${JSON.stringify(task)} ended: ${code}`))
    worker.once('exit', ended)
    worker.once('message', (result) => {
      worker.off('exit', ended)
      resolve(result as Results[K])
    })
    worker.send(task)
  })
}
