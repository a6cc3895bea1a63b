/**
 * No algorithm at all: a fixed limit, as in a configuration file, or none. Both send the record of a failed call again
 * at once.
 */
import { Limited } from './limited.ts'

export class Fixed extends Limited {
  protected learn(): void {}
}
