import type { StoreRange } from "../ports.js";

type Entry<V> = readonly [key: string, value: V];
type Chunk<V> = Entry<V>[];

/** Entries of a full chunk; a chunk of twice as many is cut in two. */
const CHUNK = 256;

/**
 * An ordered map from ASCII strings to values, ordered by byte. While a range is being iterated chunks are replaced and
 * never changed, so that it keeps the state it began with. Writes then cost O(sqrt n), else as little as O(log n), and
 * reads O(log n).
 */
export class SortedMap<V> {
  #chunks: Chunk<V>[] = [];
  /** Ranges under way. One that is dropped half-way counts for ever, which costs copies and nothing else. */
  #readers = 0;

  get(key: string): V | undefined {
    const chunk = this.#chunks[this.#chunkOf(key)];
    const entry = chunk?.[lowerBound(chunk, key)];
    return entry?.[0] === key ? entry[1] : undefined;
  }

  set(key: string, value: V): void {
    const at = Math.min(this.#chunkOf(key), this.#chunks.length - 1);
    const chunk = this.#chunks[at];
    if (chunk === undefined) {
      this.#chunks = [[[key, value]]];
      return;
    }
    const place = lowerBound(chunk, key);
    const next = this.#readers === 0 ? chunk : chunk.slice();
    if (chunk[place]?.[0] === key) next[place] = [key, value];
    else next.splice(place, 0, [key, value]);
    if (next.length >= CHUNK * 2) this.#replace(at, [next.slice(0, CHUNK), next.slice(CHUNK)]);
    else if (next !== chunk) this.#replace(at, [next]);
  }

  delete(key: string): void {
    const at = this.#chunkOf(key);
    const chunk = this.#chunks[at];
    const place = chunk ? lowerBound(chunk, key) : 0;
    if (chunk?.[place]?.[0] !== key) return;
    this.#replace(at, chunk.length === 1 ? [] : [[...chunk.slice(0, place), ...chunk.slice(place + 1)]]);
  }

  /** Entries of the range as of the first step of the iteration. */
  *range({ gte, lt, limit = Number.POSITIVE_INFINITY, reverse = false }: StoreRange): Generator<Entry<V>> {
    const chunks = this.#chunks;
    let left = limit;
    this.#readers += 1;
    try {
      for (
        let step = 0, at = this.#chunkOf(reverse ? lt : gte);
        left > 0 && at >= 0;
        step += 1, at += reverse ? -1 : 1
      ) {
        // The chunk after the last one is only ever the start of a reverse walk.
        const chunk = chunks[at] ?? [];
        if (at >= chunks.length && !reverse) return;
        const from = lowerBound(chunk, gte);
        const to = lowerBound(chunk, lt);
        if (step > 0 && from >= to) return;
        for (let place = reverse ? to - 1 : from; left > 0 && place >= from && place < to; place += reverse ? -1 : 1) {
          left -= 1;
          yield chunk[place] as Entry<V>;
        }
      }
    } finally {
      this.#readers -= 1;
    }
  }

  /** Index of the chunk that holds the key or would; the number of chunks if all keys are smaller. */
  #chunkOf(key: string): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const last = (this.#chunks[middle] as Chunk<V>).at(-1) as Entry<V>;
      if (last[0] < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #replace(at: number, by: readonly Chunk<V>[]): void {
    const chunks = this.#readers === 0 ? this.#chunks : this.#chunks.slice();
    chunks.splice(at, 1, ...by);
    this.#chunks = chunks;
  }
}

/** Index of the first entry whose key is not below `key`. */
function lowerBound<V>(chunk: Chunk<V>, key: string): number {
  let low = 0;
  let high = chunk.length;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if ((chunk[middle] as Entry<V>)[0] < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
