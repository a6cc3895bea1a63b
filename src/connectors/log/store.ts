/**
 * One LMDB environment a directory and process: opened by the first `openLog`, source or sink, shared by the others,
 * closed by the last. It holds the databases, the writer and the topics. Invariant: what a read transaction sees is
 * durable. LMDB publishes a transaction only after its fsync when `overlappingSync` is off, which therefore stays off;
 * it costs nothing here, because steps are committed in groups.
 */
import { realpathSync } from 'node:fs'
import { resolve } from 'node:path'
import { HeadgateError } from '../../model/errors.ts'
import { type Logger, SILENT_LOGGER } from '../../model/logger.ts'
import { checkDataFile, makeDirectory } from './data-file.ts'
import { type Bytes, type Environment, openEnvironment } from './environment.ts'
import { storageError } from './storage-error.ts'
import type { WritePoint } from './write-point.ts'
import { Writer } from './writer.ts'

/** Raised when stored bytes change their meaning. An older version of the library refuses a newer format. */
export const FORMAT_VERSION = 2

export interface StoreOptions {
  readonly logger?: Logger | undefined
  readonly onWritePoint?: ((point: WritePoint) => void) | undefined
}

export class Store {
  readonly directory: string
  readonly root: Environment
  readonly writer: Writer
  readonly logger: Logger
  readonly topics: Bytes
  readonly marks: Bytes
  readonly progress: Bytes
  readonly owners: Bytes
  readonly #listeners = new Map<string, Set<() => void>>()
  #users = 1
  #closing: Promise<void> | null = null

  constructor(directory: string, options: StoreOptions) {
    this.directory = directory
    this.logger = options.logger ?? SILENT_LOGGER
    this.root = openEnvironment(directory)
    try {
      this.root.readerCheck()
      this.#checkFormat()
      this.topics = this.database('topics')
      this.marks = this.database('marks')
      this.progress = this.database('progress')
      this.owners = this.database('owners')
    } catch (error) {
      void this.root.close()
      throw error
    }
    this.writer = new Writer(this.root, directory, options.onWritePoint)
  }

  database(name: string): Bytes {
    return this.root.openDB({ name, encoding: 'binary' })
  }

  /** Lets the reads that follow see everything that was committed by now, also by other processes. */
  refresh(): void {
    if (this.#closing) throw new HeadgateError('HG_STORAGE', `The log at ${this.directory} is closed: open it again`)
    this.writer.checkReadable()
    this.root.resetReadTxn()
  }

  /** Calls `listener` after this process appended to `topic`. Returns what stops it. */
  onAppend(topic: string, listener: () => void): () => void {
    const listeners = this.#listeners.get(topic) ?? new Set()
    this.#listeners.set(topic, listeners)
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  appended(topic: string): void {
    for (const listener of this.#listeners.get(topic) ?? []) listener()
  }

  retain(): this {
    this.#users += 1
    return this
  }

  /** Closes the environment when nobody uses it any more. */
  async release(): Promise<void> {
    this.#users -= 1
    if (this.#users > 0) return
    stores.delete(this.directory)
    this.#closing = this.#close()
    closing.set(this.directory, this.#closing)
    await this.#closing
    closing.delete(this.directory)
  }

  async #close(): Promise<void> {
    await this.writer.close()
    await this.root.close()
  }

  #checkFormat(): void {
    const meta = this.database('meta')
    const stored = meta.get('format')
    if (!stored) {
      meta.putSync('format', Buffer.from(String(FORMAT_VERSION)))
      return
    }
    const version = Number(Buffer.from(stored).toString())
    if (version === FORMAT_VERSION) return
    const way = version < FORMAT_VERSION ? 'read it with the version that wrote it' : 'upgrade headgate'
    throw new HeadgateError(
      'HG_STORAGE',
      `The log at ${this.directory} has format ${version}, this version of headgate reads format ${FORMAT_VERSION}: ${way}, or choose another directory`,
    )
  }
}

const stores = new Map<string, Store>()
const closing = new Map<string, Promise<void>>()

/** The store of `directory`, made when it is not there. Whoever calls this calls `release` once. */
export async function openStore(directory: string, options: StoreOptions = {}): Promise<Store> {
  let path = directory
  try {
    path = resolve(directory)
    makeDirectory(path)
    path = realpathSync(path)
    await closing.get(path)
    const known = stores.get(path)
    if (known) return known.retain()
    checkDataFile(path)
    const store = new Store(path, options)
    stores.set(path, store)
    return store
  } catch (thrown) {
    throw storageError(path, `opening the log at ${path}`, thrown)
  }
}
