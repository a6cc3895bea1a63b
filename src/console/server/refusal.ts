/** A request that is not done: its HTTP status, and the code and sentence of `RefusalDocument`. Thrown by routes, answered by the router. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}
