/** One of the processes among which `pool.ts` divides the matrix: performs a task and sends back what came of it. */
import { perform, type Task } from './task.ts'

// Nobody is there to hear of it when the one who asked has ended.
process.on('message', (task: Task) => process.send?.(perform(task), undefined, undefined, () => {}))
process.on('disconnect', () => process.exit(0))
