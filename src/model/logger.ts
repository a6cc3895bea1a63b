/** The logger that connectors and handlers are given: fields first, then a sentence. A pino logger fits. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

const silent = (): void => {}

/** Says nothing. The default wherever a logger is optional. */
export const SILENT_LOGGER: Logger = { debug: silent, info: silent, warn: silent, error: silent }
