/** A seeded source of random numbers; the same seed gives the same sequence on every machine. */
export type Random = {
  /** An integer from 0 up to, not including, `below`. */
  readonly next: (below: number) => number;
  /** True with this probability. */
  readonly chance: (probability: number) => boolean;
  readonly one: <T>(items: readonly T[]) => T;
  /** One of the values, by weight. */
  readonly weighted: <T>(items: readonly (readonly [weight: number, value: T])[]) => T;
  /** 32 random bits as an unsigned integer. */
  readonly bits: () => number;
};

/** Four 32-bit words from a text, well mixed. */
function wordsOf(seed: string): [number, number, number, number] {
  let hash = 0x811c_9dc5;
  const word = (): number => {
    hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
    hash ^= hash >>> 16;
    return hash >>> 0;
  };
  for (const char of seed) {
    hash = Math.imul(hash ^ (char.codePointAt(0) as number), 0x0100_0193);
  }
  return [word(), word(), word(), word()];
}

/** The generator (sfc32) of a seed. */
export function randomOf(seed: string): Random {
  let [a, b, c, counter] = wordsOf(seed);
  const bits = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return sum >>> 0;
  };
  for (let round = 0; round < 12; round += 1) {
    bits();
  }
  const next = (below: number): number => Math.floor((bits() / 2 ** 32) * below);
  return {
    next,
    bits,
    chance: (probability) => bits() / 2 ** 32 < probability,
    one: (items) => {
      if (items.length === 0) {
        throw new RangeError("nothing to choose from");
      }
      return items[next(items.length)] as (typeof items)[number];
    },
    weighted: (items) => {
      let left = next(items.reduce((sum, [weight]) => sum + weight, 0));
      for (const [weight, value] of items) {
        left -= weight;
        if (left < 0) {
          return value;
        }
      }
      throw new RangeError("nothing to choose from");
    },
  };
}
