/** A cache bounded in entries and in bytes: what was used longest ago leaves first, the newest entry always stays. */
export class BoundedCache<T> {
  readonly #most: { readonly entries: number; readonly bytes: number };
  readonly #entries = new Map<string, { readonly value: T; readonly bytes: number }>();
  #bytes = 0;

  constructor(most: { readonly entries: number; readonly bytes: number }) {
    this.#most = most;
  }

  /** The value of a key, which counts as a use. */
  get(key: string): T | undefined {
    const entry = this.#entries.get(key);
    if (entry !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, entry);
    }
    return entry?.value;
  }

  /** Adds an entry and returns the keys that had to leave for it. */
  add(key: string, value: T, bytes: number): readonly string[] {
    this.delete(key);
    this.#entries.set(key, { value, bytes });
    this.#bytes += bytes;
    const left: string[] = [];
    for (const oldest of this.#entries.keys()) {
      if (oldest === key || (this.#entries.size <= this.#most.entries && this.#bytes <= this.#most.bytes)) {
        break;
      }
      this.delete(oldest);
      left.push(oldest);
    }
    return left;
  }

  /** Takes an entry out. */
  delete(key: string): void {
    this.#bytes -= this.#entries.get(key)?.bytes ?? 0;
    this.#entries.delete(key);
  }
}
