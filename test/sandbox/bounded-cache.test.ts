import { describe, expect, it } from "vitest";
import { BoundedCache } from "../../src/sandbox/bounded-cache.js";

describe("BoundedCache", () => {
  it("drops what was used longest ago when there are too many", () => {
    const cache = new BoundedCache<number>({ entries: 2, bytes: 100 });
    expect(cache.add("a", 1, 1)).toEqual([]);
    expect(cache.add("b", 2, 1)).toEqual([]);
    expect(cache.get("a")).toBe(1);
    expect(cache.add("c", 3, 1)).toEqual(["b"]);
    expect([cache.get("a"), cache.get("b"), cache.get("c")]).toEqual([1, undefined, 3]);
  });

  it("drops as many as the bytes ask for, never the newest", () => {
    const cache = new BoundedCache<number>({ entries: 10, bytes: 100 });
    for (const key of ["a", "b", "c"]) cache.add(key, 0, 30);
    expect(cache.add("d", 0, 60)).toEqual(["a", "b"]);
    expect(cache.add("e", 0, 1000)).toEqual(["c", "d"]);
    expect(cache.get("e")).toBe(0);
    expect(cache.add("f", 0, 1)).toEqual(["e"]);
  });

  it("counts an entry once, and not at all when it is taken out", () => {
    const cache = new BoundedCache<number>({ entries: 10, bytes: 100 });
    cache.add("a", 1, 60);
    expect(cache.add("a", 2, 60)).toEqual([]);
    expect(cache.get("a")).toBe(2);
    cache.delete("a");
    cache.delete("a");
    expect(cache.add("b", 1, 100)).toEqual([]);
    expect(cache.get("b")).toBe(1);
  });
});
