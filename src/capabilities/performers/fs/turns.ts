/** Runs work when everything that came earlier under one of its keys is over. */
export type Turns = <T>(keys: readonly string[], work: () => Promise<T>) => Promise<T>;

/**
 * Turns by key, in the order they were asked for. All keys of a piece of work are taken at once, so two pieces never
 * wait for each other.
 */
export function createTurns(): Turns {
  const last = new Map<string, Promise<void>>();
  return async (keys, work) => {
    const before = keys.flatMap((key) => last.get(key) ?? []);
    let end = (): void => undefined;
    const mine = new Promise<void>((resolve) => {
      end = resolve;
    });
    for (const key of keys) last.set(key, mine);
    try {
      await Promise.all(before);
      return await work();
    } finally {
      end();
      for (const key of keys) if (last.get(key) === mine) last.delete(key);
    }
  };
}
