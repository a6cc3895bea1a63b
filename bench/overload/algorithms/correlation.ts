/** The correlation of two series over their last values, and the coefficient of variation of the second. */
export class Correlation {
  #x: number[] = []
  #y: number[] = []
  readonly #size: number
  readonly #warmUp: number

  /** 0 while there is too little to say, and where a series varies by less than 1 %. */
  correlation = 0
  cvY = 0

  constructor(size: number, warmUp: number) {
    this.#size = size
    this.#warmUp = warmUp
  }

  add(x: number, y: number): void {
    this.#x.push(x)
    this.#y.push(y)
    if (this.#x.length > this.#size) {
      this.#x.shift()
      this.#y.shift()
    }
    this.correlation = 0
    this.cvY = 0
    const count = this.#x.length
    if (count < this.#warmUp) return
    const meanX = mean(this.#x)
    const meanY = mean(this.#y)
    const deviationX = Math.sqrt(mean(this.#x.map((value) => (value - meanX) ** 2)))
    const deviationY = Math.sqrt(mean(this.#y.map((value) => (value - meanY) ** 2)))
    this.cvY = deviationY / meanY
    if (deviationX / meanX < 0.01 || this.cvY < 0.01) return
    const covariance = mean(this.#x.map((value, index) => (value - meanX) * ((this.#y[index] as number) - meanY)))
    this.correlation = covariance / (deviationX * deviationY)
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
