/** One of the processes among which `pool.ts` divides the matrix: performs a task and sends back what came of it. */
import { perform, type Task } from './task.ts'

process.on('message', (task: Task) => process.send?.(perform(task)))
process.on('disconnect', () => process.exit(0))
