/**
 * `headgate/file`: newline-delimited JSON (or any lines) in and out, from and to files, standard input and standard
 * output.
 */
import { FileSink, type FileSinkOptions } from './sink.ts'
import { FileSource, type FileSourceOptions } from './source.ts'

export type { FileSink, FileSinkOptions } from './sink.ts'
export type { FileSource, FileSourceOptions } from './source.ts'

export const file = {
  /**
   * The lines of a file, once, from where the progress file says, to the end. Throws `HG_OPTION_INVALID`. One source
   * at a time may use a progress file.
   */
  source<T = unknown>(options: FileSourceOptions<T>): FileSource<T> {
    return new FileSource(options)
  },

  /** A line for each value. Throws `HG_OPTION_INVALID`. One sink at a time may write a file. */
  sink<T = unknown>(options: FileSinkOptions<T>): FileSink<T> {
    return new FileSink(options)
  },
}
