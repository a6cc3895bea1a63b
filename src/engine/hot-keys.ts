/**
 * The most frequent keys of a source: space-saving (Metwally, Agrawal and El Abbadi, 2005) over one record in 64. Of a
 * key that has more than 1/64 of the records none is missed, and its share is known to within that. Counts are halved
 * now and then, so that the shares are those of the last tens of thousands of records.
 */
const SAMPLE_EVERY = 64
const MOST_KEYS = 64
const HALVE_AT = 1024
const MOST_SHOWN = 8
/** Rarer than this it is no hot key, and the sketch cannot tell it from the others. */
const LEAST_SHARE = 0.03

export class HotKeys {
  readonly #counts = new Map<string, number>()
  #samples = 0
  #until = SAMPLE_EVERY

  /** Looks at every 64th of `length` records. */
  sample(length: number, keyAt: (index: number) => string | null): void {
    if (this.#until > length) {
      this.#until -= length
      return
    }
    let at = this.#until - 1
    for (; at < length; at += SAMPLE_EVERY) this.#count(keyAt(at))
    this.#until = at - length + 1
  }

  #count(key: string | null): void {
    this.#samples += 1
    if (key !== null) {
      const count = this.#counts.get(key)
      if (count !== undefined) this.#counts.set(key, count + 1)
      else if (this.#counts.size < MOST_KEYS) this.#counts.set(key, 1)
      else this.#replaceLeast(key)
    }
    if (this.#samples >= HALVE_AT) this.#halve()
  }

  #replaceLeast(key: string): void {
    let least = ''
    let fewest = Number.POSITIVE_INFINITY
    for (const [other, count] of this.#counts) {
      if (count < fewest) [least, fewest] = [other, count]
    }
    this.#counts.delete(least)
    this.#counts.set(key, fewest + 1)
  }

  #halve(): void {
    this.#samples = Math.floor(this.#samples / 2)
    for (const [key, count] of this.#counts) {
      if (count > 1) this.#counts.set(key, Math.floor(count / 2))
      else this.#counts.delete(key)
    }
  }

  /** The most frequent first. */
  shares(): { readonly key: string; readonly share: number }[] {
    if (this.#samples === 0) return []
    return [...this.#counts]
      .map(([key, count]) => ({ key, share: count / this.#samples }))
      .filter(({ share }) => share >= LEAST_SHARE)
      .sort((one, other) => other.share - one.share)
      .slice(0, MOST_SHOWN)
  }
}
