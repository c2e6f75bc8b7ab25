import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Store, StoreRange } from "../../src/ports.js";

/** One way of making stores. `reopen` gives another handle on what an earlier one wrote, if the driver is durable. */
export type Driver = {
  readonly name: string;
  open(): Promise<Store>;
  cleanup(): Promise<void>;
};

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const list = (store: Store, range: StoreRange): string[] => [...store.range(range)].map(([key]) => key);
const ALL = { gte: " ", lt: "~~~~" } as const;

/** What every Store must do, whatever keeps its bytes. */
export function describeStore(driver: Driver): void {
  describe(`store contract: ${driver.name}`, () => {
    let store: Store;
    let epoch: number;

    beforeEach(async () => {
      store = await driver.open();
      epoch = await store.acquire();
    });
    afterEach(async () => {
      await store.close();
      await driver.cleanup();
    });

    const fill = (...keys: string[]): Promise<void> =>
      store.commit(
        keys.map((key) => ({ key, value: text(key) })),
        epoch,
      );

    it("has nothing at first", () => {
      expect(store.get("a")).toBeUndefined();
      expect(list(store, ALL)).toEqual([]);
    });

    it("gives back what was committed, empty values too", async () => {
      await store.commit(
        [
          { key: "a", value: bytes(1, 2) },
          { key: "b", value: bytes() },
        ],
        epoch,
      );
      expect(store.get("a")).toEqual(bytes(1, 2));
      expect(store.get("b")).toEqual(bytes());
      expect(store.get("c")).toBeUndefined();
      expect([...store.range(ALL)]).toEqual([
        ["a", bytes(1, 2)],
        ["b", bytes()],
      ]);
    });

    it("overwrites and deletes, and the last change of a key counts", async () => {
      await fill("a", "b");
      await store.commit(
        [
          { key: "a", value: bytes(9) },
          { key: "b", value: null },
          { key: "absent", value: null },
        ],
        epoch,
      );
      expect(store.get("a")).toEqual(bytes(9));
      expect(store.get("b")).toBeUndefined();
      await store.commit(
        [
          { key: "c", value: bytes(1) },
          { key: "c", value: null },
          { key: "d", value: null },
          { key: "d", value: bytes(2) },
        ],
        epoch,
      );
      expect(list(store, ALL)).toEqual(["a", "d"]);
    });

    it("orders keys by byte", async () => {
      const keys = ["~", "a", "Z", "a/0", "a0", "a!", "a", " x", "_", "0", "00", "a/", "10", "9"];
      await fill(...keys);
      expect(list(store, ALL)).toEqual([" x", "0", "00", "10", "9", "Z", "_", "a", "a!", "a/", "a/0", "a0", "~"]);
      expect(list(store, { ...ALL, reverse: true })).toEqual(list(store, ALL).reverse());
    });

    it("bounds a range below inclusively and above exclusively, in both directions", async () => {
      await fill("a", "b", "c", "d");
      const cases: [StoreRange, string[]][] = [
        [{ gte: "b", lt: "d" }, ["b", "c"]],
        [{ gte: "b", lt: "d", reverse: true }, ["c", "b"]],
        [{ gte: "aa", lt: "cc" }, ["b", "c"]],
        [{ gte: "aa", lt: "cc", reverse: true }, ["c", "b"]],
        [{ gte: "d", lt: "z", reverse: true }, ["d"]],
        [{ gte: "", lt: "b" }, ["a"]],
        [{ gte: "", lt: "~", reverse: true, limit: 1 }, ["d"]],
        [{ gte: "a", lt: "z", limit: 2 }, ["a", "b"]],
        [{ gte: "a", lt: "z", limit: 2, reverse: true }, ["d", "c"]],
        [{ gte: "a", lt: "z", limit: 0 }, []],
        [{ gte: "c", lt: "c" }, []],
        [{ gte: "c", lt: "c", reverse: true }, []],
        [{ gte: "d", lt: "a" }, []],
        [{ gte: "d", lt: "a", reverse: true }, []],
        [{ gte: "", lt: "" }, []],
        [{ gte: "e", lt: "z" }, []],
        [{ gte: "e", lt: "z", reverse: true }, []],
      ];
      for (const [range, keys] of cases) expect(list(store, range), JSON.stringify(range)).toEqual(keys);
    });

    it("applies all changes or none", async () => {
      await fill("a");
      const changes = [
        { key: "a", value: bytes(1) },
        { key: "b", value: bytes(2) },
      ];
      await expect(store.commit([...changes, { key: "", value: bytes(3) }], epoch)).rejects.toMatchObject({
        code: "EXO_INTERNAL",
      });
      await expect(store.commit([...changes, { key: "é", value: bytes(3) }], epoch)).rejects.toMatchObject({
        code: "EXO_INTERNAL",
      });
      await expect(store.commit([...changes, { key: "k".repeat(401), value: bytes(3) }], epoch)).rejects.toMatchObject({
        code: "EXO_INTERNAL",
      });
      expect(store.get("a")).toEqual(text("a"));
      expect(store.get("b")).toBeUndefined();
      await fill("k".repeat(400));
      expect(store.get("k".repeat(400))).toBeDefined();
    });

    it("raises the epoch and refuses commits under an earlier or a later one", async () => {
      await fill("a");
      const next = await store.acquire();
      expect(next).toBe(epoch + 1);
      const change = [{ key: "a", value: bytes(7) }];
      await expect(store.commit(change, epoch)).rejects.toMatchObject({ code: "EXO_FENCED" });
      await expect(store.commit(change, next + 1)).rejects.toMatchObject({ code: "EXO_FENCED" });
      expect(store.get("a")).toEqual(text("a"));
      await store.commit(change, next);
      expect(store.get("a")).toEqual(bytes(7));
    });

    it("keeps the epoch out of every range", async () => {
      await store.acquire();
      expect(list(store, { gte: "", lt: "\u{10ffff}" })).toEqual([]);
      expect(list(store, { gte: "", lt: "\u{10ffff}", reverse: true })).toEqual([]);
      expect(store.get("")).toBeUndefined();
    });

    it("gives values that stay as they are, whatever is read, written or done to them later", async () => {
      const given = bytes(1, 2, 3);
      await store.commit([{ key: "a", value: given }], epoch);
      given[0] = 99;
      const kept = store.get("a");
      const again = store.get("a");
      again?.fill(0);
      const [ranged] = [...store.range(ALL)];
      ranged?.[1].fill(0);
      await store.commit(
        [
          { key: "a", value: bytes(4, 5, 6) },
          { key: "b", value: new Uint8Array(100_000).fill(8) },
        ],
        epoch,
      );
      store.get("b");
      expect(kept).toEqual(bytes(1, 2, 3));
      expect(store.get("a")).toEqual(bytes(4, 5, 6));
      expect(kept?.constructor).toBe(Uint8Array);
      expect(kept?.slice().buffer).not.toBe(kept?.buffer);
    });

    it("keeps values of 20 MB", async () => {
      const large = new Uint8Array(20_000_000).map((_, at) => at % 251);
      await store.commit(
        [
          { key: "large", value: large },
          { key: "small", value: bytes(1) },
        ],
        epoch,
      );
      const read = store.get("large");
      const [, ranged] = [...store.range(ALL)][0] ?? [];
      expect(store.get("small")).toEqual(bytes(1));
      expect(Buffer.compare(read ?? bytes(), large)).toBe(0);
      expect(Buffer.compare(ranged ?? bytes(), large)).toBe(0);
    });

    it("keeps 10,000 keys in order and walks them lazily", async () => {
      const keys = Array.from({ length: 10_000 }, (_, at) => `k/${String((at * 7919) % 10_000).padStart(5, "0")}`);
      await fill(...keys);
      const sorted = keys.toSorted();
      expect(list(store, ALL)).toEqual(sorted);
      expect(list(store, { gte: "k/05000", lt: "k/05003" })).toEqual(["k/05000", "k/05001", "k/05002"]);
      const walk = store.range(ALL)[Symbol.iterator]();
      expect(walk.next().value?.[0]).toBe("k/00000");
      walk.return?.();
      expect(walk.next().done).toBe(true);
    });

    it("shows a range as it was at its first step while commits go on", async () => {
      await fill("a", "b", "c", "d");
      const seen: [string, Uint8Array][] = [];
      for (const [key, value] of store.range(ALL)) {
        seen.push([key, value]);
        await store.commit(
          [
            { key: "b", value: bytes(0) },
            { key: "c", value: null },
            { key: `e${key}`, value: bytes(1) },
          ],
          epoch,
        );
        expect(store.get("c")).toBeUndefined();
      }
      expect(seen).toEqual(["a", "b", "c", "d"].map((key) => [key, text(key)]));
      expect(list(store, ALL)).toEqual(["a", "b", "d", "ea", "eb", "ec", "ed"]);
    });

    it("applies concurrent commits in the order of the calls and shows each when it has resolved", async () => {
      const order: number[] = [];
      const commits = Array.from({ length: 100 }, async (_, at) => {
        await store.commit(
          [
            { key: "last", value: bytes(at) },
            { key: `n/${at}`, value: bytes(at) },
          ],
          epoch,
        );
        expect(store.get(`n/${at}`)).toEqual(bytes(at));
        order.push(at);
      });
      await Promise.all(commits);
      expect(order).toEqual(Array.from({ length: 100 }, (_, at) => at));
      expect(store.get("last")).toEqual(bytes(99));
    });

    it("refuses everything once closed, an open range included, and closes twice", async () => {
      await fill("a", "b");
      const walk = store.range(ALL)[Symbol.iterator]();
      walk.next();
      await store.close();
      await store.close();
      const closed = { code: "EXO_CLOSED" };
      expect(() => store.get("a")).toThrow(expect.objectContaining(closed));
      expect(() => list(store, ALL)).toThrow(expect.objectContaining(closed));
      expect(() => walk.next()).toThrow(expect.objectContaining(closed));
      await expect(store.commit([], epoch)).rejects.toMatchObject(closed);
      await expect(store.acquire()).rejects.toMatchObject(closed);
    });

    it("agrees with a sorted list on random ranges", async () => {
      let seed = 1;
      const next = (below: number): number => {
        seed = (seed * 48_271) % 2_147_483_647;
        return seed % below;
      };
      const key = (): string => String.fromCharCode(...Array.from({ length: 1 + next(4) }, () => 0x61 + next(4)));
      const model = new Map<string, Uint8Array>();
      for (let round = 0; round < 40; round += 1) {
        const changes = Array.from({ length: 10 }, () => ({
          key: key(),
          value: next(3) === 0 ? null : bytes(next(256)),
        }));
        for (const { key: name, value } of changes) {
          if (value === null) model.delete(name);
          else model.set(name, value);
        }
        await store.commit(changes, epoch);
        for (let probe = 0; probe < 20; probe += 1) {
          const range = { gte: key(), lt: key(), limit: next(12), reverse: next(2) === 0 };
          const inside = [...model]
            .filter(([name]) => name >= range.gte && name < range.lt)
            .sort(([a], [b]) => (a < b ? -1 : 1));
          expect([...store.range(range)]).toEqual((range.reverse ? inside.reverse() : inside).slice(0, range.limit));
        }
      }
    });
  });
}
