/**
 * Loaded into the pipeline's process by `npm start`: prints what the launcher has to say. Printed here it appears above
 * the live view; the launcher itself would write across it.
 */
process.on('message', (text) => process.stderr.write(`${text}\n`))
process.channel?.unref()
