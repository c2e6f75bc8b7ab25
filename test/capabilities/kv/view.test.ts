import { describe, expect, test } from "vitest";
import { placeOf, segmentBytes, spaceOf } from "../../../src/capabilities/kv/places.js";
import { emptySpace, KeyValueView, type SpaceHead } from "../../../src/capabilities/kv/view.js";
import { compareBytes, encodeUtf8 } from "../../../src/crypto/encoding.js";
import { Overlay } from "../../../src/log/overlay.js";
import type { StoreRange, StoreReader } from "../../../src/ports.js";
import { requireKey } from "../../../src/stores/keys.js";
import { createMemoryStore } from "../../../src/stores/memory.js";
import { randomOf } from "../../wasm/generate/random.js";

const space = spaceOf("default", "kv");
const caps = { maxEntries: 1_000_000, maxTotalBytes: 1 << 30 };
const all = Number.MAX_SAFE_INTEGER;

/** A store in memory that counts what it is asked and checks every key. */
class Counted implements StoreReader {
  readonly overlay = new Overlay(createMemoryStore());
  reads = 0;
  longest = 0;

  commit(view: KeyValueView): void {
    for (const [key, value] of view.changes) {
      requireKey(key);
      this.longest = Math.max(this.longest, key.length);
      this.overlay.set(key, value);
    }
  }

  get(key: string): Uint8Array | undefined {
    this.reads += 1;
    return this.overlay.get(key);
  }

  *range(range: StoreRange): Generator<readonly [string, Uint8Array]> {
    this.reads += 1;
    for (const entry of this.overlay.range(range)) {
      this.reads += 1;
      yield entry;
    }
  }

  size(): number {
    return [...this.overlay.range({ gte: " ", lt: "~" })].length;
  }
}

const viewOf = (reader: StoreReader, head: SpaceHead = emptySpace): KeyValueView =>
  new KeyValueView(reader, space, head);
const put = (view: KeyValueView, key: string, value = "x", expect?: number) =>
  view.put(key, encodeUtf8(value), expect, caps);
const keysOf = (view: KeyValueView, prefix = "", after?: string, limit = 1000): string[] =>
  view.list(prefix, after, limit, all)?.entries.map(({ key }) => key) ?? [];
const byBytes = (a: string, b: string): number => compareBytes(encodeUtf8(a), encodeUtf8(b));

/** Every key of a view, page by page. */
function paged(view: KeyValueView, prefix: string, limit: number): string[] {
  const found: string[] = [];
  for (let after: string | undefined; ; after = found.at(-1)) {
    const page = view.list(prefix, after, limit, all);
    if (page === null) throw new Error("no page");
    found.push(...page.entries.map(({ key }) => key));
    expect(page.entries.length).toBeLessThanOrEqual(limit);
    if (!page.more) return found;
    expect(page.entries).toHaveLength(limit);
  }
}

const awkward = [
  "a",
  "a\0",
  "a/",
  "a0",
  "A",
  "../../i/x",
  "\0",
  ".",
  "/",
  "~",
  "é",
  "\u{e9}",
  "e\u0301",
  "\uffff",
  "\u{10000}",
  "\u{10ffff}",
  "__proto__",
  "constructor",
  "x".repeat(128),
  "x".repeat(129),
  `${"x".repeat(128)}\0`,
  "x".repeat(256),
  "x".repeat(257),
  "x".repeat(512),
  "字".repeat(512),
  `${"字".repeat(511)}a`,
  "\u{10000}".repeat(256),
  "\u{10000}".repeat(512),
];

describe("placeOf", () => {
  test("gives store keys the store takes, each key another, the entries in the order of the keys' bytes", () => {
    const places = [...new Set(awkward)].map((key) => placeOf(space, encodeUtf8(key)));
    const keys = places.flatMap(({ entry, value }) => [entry, value]);
    for (const key of keys) requireKey(key);
    expect(new Set(keys).size).toBe(keys.length);
    for (const key of keys) expect(key).toMatch(/^[vx]\/[0-9a-f]{64}\/[0-9a-f]{64}(?:\/[0-9a-f]{2,256}[./])?$/);
    expect(Math.max(...keys.map((key) => key.length))).toBeLessThanOrEqual(400);
  });

  test("two spaces share nothing, whatever their names are", () => {
    expect(spaceOf("a", "bc")).not.toBe(spaceOf("ab", "c"));
    expect(spaceOf("1:a", "b")).not.toBe(spaceOf("1", ":ab"));
  });
});

describe("a view", () => {
  test("lists awkward keys in the order of their UTF-8 bytes, by any page size, own writes or committed", () => {
    const reader = new Counted();
    const view = viewOf(reader);
    const keys = [...new Set(awkward)];
    for (const key of keys) put(view, key);
    const sorted = keys.toSorted(byBytes);
    for (const limit of [1, 2, 3, 7, 1000]) expect(paged(view, "", limit)).toEqual(sorted);
    reader.commit(view);
    const later = viewOf(reader, view.head);
    for (const limit of [1, 2, 1000]) expect(paged(later, "", limit)).toEqual(sorted);
    for (const prefix of ["a", "x", "x".repeat(128), "x".repeat(200), "x".repeat(256), "字", "e", "y", "\u{10000}"]) {
      expect(paged(later, prefix, 2), prefix).toEqual(sorted.filter((key) => key.startsWith(prefix)));
    }
    for (const key of keys) expect(view.find(key)?.size, key).toBe(1);
    for (const key of keys) later.delete(key, undefined);
    expect(paged(later, "", 2)).toEqual([]);
    expect(later.head).toEqual({ version: keys.length, entries: 0, bytes: 0 });
    reader.commit(later);
    // Not even a directory is left.
    expect(reader.size()).toBe(0);
  });

  test("pages: after beyond, before and inside the prefix; more only when there is more", () => {
    const view = viewOf(new Counted());
    for (const key of ["a", "b/1", "b/2", "b/3", "c"]) put(view, key);
    expect(keysOf(view, "b/", "a")).toEqual(["b/1", "b/2", "b/3"]);
    expect(keysOf(view, "b/", "b/")).toEqual(["b/1", "b/2", "b/3"]);
    expect(keysOf(view, "b/", "b/1")).toEqual(["b/2", "b/3"]);
    expect(keysOf(view, "b/", "b/15")).toEqual(["b/2", "b/3"]);
    expect(keysOf(view, "b/", "b/3")).toEqual([]);
    expect(keysOf(view, "b/", "z")).toEqual([]);
    expect(view.list("b/", undefined, 3, all)?.more).toBe(false);
    expect(view.list("b/", undefined, 2, all)?.more).toBe(true);
    expect(view.list("b/1", undefined, 1, all)).toEqual({
      entries: [{ key: "b/1", version: 2, size: 1 }],
      more: false,
    });
  });

  test("a page ends before the bytes of its keys pass the cap", () => {
    const view = viewOf(new Counted());
    for (const key of ["aaa", "bbb", "ccc"]) put(view, key);
    expect(view.list("", undefined, 10, 6)).toMatchObject({ entries: [{ key: "aaa" }, { key: "bbb" }], more: true });
    expect(view.list("", undefined, 10, 9)?.more).toBe(false);
    expect(view.list("", undefined, 10, 2)).toBe(null);
    expect(view.list("z", undefined, 10, 0)).toEqual({ entries: [], more: false });
  });

  test("compare-and-set: lost ones change nothing and say what is there; versions never come again", () => {
    const view = viewOf(new Counted());
    expect(put(view, "a", "1", 1)).toEqual({ done: false, version: 0 });
    expect(put(view, "a", "1", 0)).toEqual({ done: true, version: 1 });
    expect(put(view, "a", "2", 0)).toEqual({ done: false, version: 1 });
    expect(put(view, "a", "2", 1)).toEqual({ done: true, version: 2 });
    expect(view.delete("a", 1)).toEqual({ done: false, version: 2 });
    expect(view.delete("a", 2)).toEqual({ done: true, version: 2 });
    expect(view.delete("a", 2)).toEqual({ done: false, version: 0 });
    expect(view.delete("a", 0)).toEqual({ done: true, version: 0 });
    expect(put(view, "a", "1", 0)).toEqual({ done: true, version: 3 });
    expect(view.head).toEqual({ version: 3, entries: 1, bytes: 2 });
  });

  test("caps: keys and bytes count exactly, and what shrinks is always done", () => {
    const view = viewOf(new Counted());
    const tight = { maxEntries: 2, maxTotalBytes: 10 };
    const write = (key: string, size: number) => view.put(key, new Uint8Array(size), undefined, tight);
    expect(write("é", 8)).toEqual({ done: true, version: 1 });
    expect(view.head.bytes).toBe(10);
    expect(write("b", 0)).toBe("full");
    expect(write("é", 9)).toBe("full");
    expect(write("é", 7)).toMatchObject({ done: true });
    expect(write("b", 0)).toMatchObject({ done: true });
    expect(write("c", 0)).toBe("full");
    expect(view.head).toEqual({ version: 3, entries: 2, bytes: 10 });
    // Lowered under what is there: smaller and fewer still goes, nothing else.
    const lower = { maxEntries: 1, maxTotalBytes: 4 };
    expect(view.put("é", new Uint8Array(6), undefined, lower)).toMatchObject({ done: true });
    expect(view.put("é", new Uint8Array(7), undefined, lower)).toBe("full");
    expect(view.delete("b", undefined)).toMatchObject({ done: true });
    expect(view.put("b", new Uint8Array(0), undefined, lower)).toBe("full");
  });

  test.each([
    ["a cut entry", (reader: Counted) => reader.overlay.set(placeOf(space, encodeUtf8("a")).entry, new Uint8Array(3))],
    [
      "a value of another size",
      (reader: Counted) => reader.overlay.set(placeOf(space, encodeUtf8("a")).value, new Uint8Array(3)),
    ],
    ["a value that is gone", (reader: Counted) => reader.overlay.set(placeOf(space, encodeUtf8("a")).value, null)],
  ])("%s is damage, and nothing is changed", (_name, damage) => {
    const reader = new Counted();
    const before = viewOf(reader);
    put(before, "a");
    reader.commit(before);
    damage(reader);
    const view = viewOf(reader, before.head);
    const read = (): unknown => {
      const entry = view.find("a");
      return entry === undefined ? undefined : view.value("a", entry);
    };
    expect(read).toThrow(expect.objectContaining({ code: "EXO_STORE_DAMAGED" }));
    expect(view.changes.size).toBe(0);
  });

  test("a page costs what it gives: not the keys before it and after it, nor any value", () => {
    const reader = new Counted();
    const view = viewOf(reader);
    // All share their first segments, the worst case for whoever sorts by the start of a key.
    const base = "x".repeat(segmentBytes * 2);
    for (let at = 0; at < 3000; at++) put(view, `${base}${String(at).padStart(4, "0")}`, "v".repeat(100));
    reader.commit(view);
    const later = viewOf(reader, view.head);
    reader.reads = 0;
    expect(keysOf(later, "", `${base}1499`, 10)[0]).toBe(`${base}1500`);
    expect(reader.reads).toBeLessThan(40);
    reader.reads = 0;
    expect(keysOf(later, `${base}29`, undefined, 5)).toHaveLength(5);
    expect(reader.reads).toBeLessThan(40);
    reader.reads = 0;
    expect(keysOf(later, "y")).toEqual([]);
    expect(reader.reads).toBeLessThan(40);
  });

  test("random writes over a model: every answer, every listing and the head agree", () => {
    const { next: pick } = randomOf("keys and values");
    const alphabet = ["a", "b", "\0", "é", "\u{10000}", "x".repeat(127), "y".repeat(128)];
    const word = (): string => Array.from({ length: 1 + pick(3) }, () => alphabet[pick(alphabet.length)]).join("");
    const reader = new Counted();
    const model = new Map<string, { version: number; value: string }>();
    let view = viewOf(reader);
    let versions = 0;
    for (let step = 0; step < 4000; step++) {
      const key = word();
      const there = model.get(key);
      const expected = [undefined, 0, there?.version ?? 0, pick(versions + 1)][pick(4)];
      const lost = expected !== undefined && expected !== (there?.version ?? 0);
      const act = pick(10);
      if (act < 5) {
        const value = "v".repeat(pick(5));
        const done = put(view, key, value, expected);
        if (!lost) model.set(key, { version: ++versions, value });
        expect(done).toEqual(lost ? { done: false, version: there?.version ?? 0 } : { done: true, version: versions });
      } else if (act < 8) {
        expect(view.delete(key, expected)).toEqual({ done: !lost, version: there?.version ?? 0 });
        if (!lost) model.delete(key);
      } else if (act === 8) {
        const prefix = word()
          .slice(0, pick(130))
          .replace(/[\ud800-\udbff]$/, "");
        const after = pick(2) === 0 ? undefined : word();
        const sorted = [...model.keys()].sort(byBytes);
        const expectedKeys = sorted.filter(
          (one) => one.startsWith(prefix) && (after === undefined || byBytes(one, after) > 0),
        );
        const limit = 1 + pick(10);
        expect(keysOf(view, prefix, after, limit)).toEqual(expectedKeys.slice(0, limit));
      } else if (pick(20) === 0) {
        reader.commit(view);
        view = viewOf(reader, view.head);
      }
    }
    const bytes = [...model].reduce((sum, [key, { value }]) => sum + encodeUtf8(key).length + value.length, 0);
    expect(view.head).toEqual({ version: versions, entries: model.size, bytes });
    expect(versions).toBeGreaterThan(1000);
    expect(paged(view, "", 7)).toEqual([...model.keys()].sort(byBytes));
  });
});
