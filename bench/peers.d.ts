/**
 * The few shapes of the peers that the benchmarks touch. Declared here so that the sources type-check whether or not
 * the peers are installed (`npm ci --prefix bench`): nobody should need 90 MB of peers to run `npm run types`.
 */
declare module 'effect' {
  interface Of<A> {
    readonly of?: A
  }
  export const Stream: {
    fromIterable<A>(values: Iterable<A>): Of<A>
    map<A, B>(stream: Of<A>, fn: (value: A) => B): Of<B>
    filter<A>(stream: Of<A>, fn: (value: A) => boolean): Of<A>
    runCount<A>(stream: Of<A>): Of<number>
  }
  export const Effect: {
    runPromise<A>(effect: Of<A>): Promise<A>
  }
}

declare module 'rxjs' {
  type Operator<A, B> = (source: Observable<A>) => Observable<B>
  export interface Observable<A> {
    pipe<B>(a: Operator<A, B>): Observable<B>
    pipe<B, C, D>(a: Operator<A, B>, b: Operator<B, C>, c: Operator<C, D>): Observable<D>
    subscribe(observer: { next(value: A): void; error(error: unknown): void; complete(): void }): void
  }
  export function from<A>(values: Iterable<A>): Observable<A>
  export function map<A, B>(fn: (value: A) => B): Operator<A, B>
  export function filter<A>(fn: (value: A) => boolean): Operator<A, A>
  export function mergeMap<A, B>(fn: (value: A) => Promise<B>, concurrency: number): Operator<A, B>
}

declare module 'p-limit' {
  export default function pLimit(concurrency: number): <A, B>(fn: (value: A) => Promise<B>, value: A) => Promise<B>
}

declare module 'redis' {
  export interface RedisClient {
    connect(): Promise<unknown>
    close(): Promise<unknown>
    on(event: 'error', listener: (error: Error) => void): unknown
    xAdd(stream: string, id: string, fields: Record<string, string | Buffer>): Promise<string>
    xRange(stream: string, start: string, end: string, options: { COUNT: number }): Promise<{ id: string }[]>
  }
  export function createClient(options: { socket: { host: string; port: number } }): RedisClient
}
