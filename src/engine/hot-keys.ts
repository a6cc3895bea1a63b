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
  /** Where each key stands in the two arrays; these are searched for the rarest, far quicker than a map. */
  readonly #places = new Map<string, number>()
  #keys: string[] = []
  #counts: number[] = []
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
      const place = this.#places.get(key)
      if (place !== undefined) this.#counts[place] = (this.#counts[place] as number) + 1
      else if (this.#keys.length < MOST_KEYS) this.#add(key, 1)
      else this.#replaceLeast(key)
    }
    if (this.#samples >= HALVE_AT) this.#halve()
  }

  #add(key: string, count: number): void {
    this.#places.set(key, this.#keys.length)
    this.#keys.push(key)
    this.#counts.push(count)
  }

  #replaceLeast(key: string): void {
    const counts = this.#counts
    let place = 0
    for (let other = 1; other < counts.length; other += 1)
      if ((counts[other] as number) < (counts[place] as number)) place = other
    this.#places.delete(this.#keys[place] as string)
    this.#places.set(key, place)
    this.#keys[place] = key
    counts[place] = (counts[place] as number) + 1
  }

  #halve(): void {
    const keys = this.#keys
    const counts = this.#counts
    this.#samples = Math.floor(this.#samples / 2)
    this.#keys = []
    this.#counts = []
    this.#places.clear()
    for (const [place, key] of keys.entries()) {
      const count = counts[place] as number
      if (count > 1) this.#add(key, Math.floor(count / 2))
    }
  }

  /** The most frequent first. */
  shares(): { readonly key: string; readonly share: number }[] {
    if (this.#samples === 0) return []
    return this.#keys
      .map((key, place) => ({ key, share: (this.#counts[place] as number) / this.#samples }))
      .filter(({ share }) => share >= LEAST_SHARE)
      .sort((one, other) => other.share - one.share)
      .slice(0, MOST_SHOWN)
  }
}
