/** `headgate/console`: the web page and its endpoints, for a program that starts its pipelines itself. */
export type * from './documents.ts'
export type { ConsoleOptions } from './server/options.ts'
export { type ServedConsole, serveConsole } from './server/serve.ts'
export type { ConsoleTarget } from './server/target.ts'
