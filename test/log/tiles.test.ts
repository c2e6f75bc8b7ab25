import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatHashLines, parseHashLines } from "../../src/log/hash-lines.js";
import { formatEntries, parseEntries, type Tile, tileBytes, tilePath, tilesOf } from "../../src/log/tiles.js";
import { text } from "./fixtures.js";
import { naiveRoot } from "./naive.js";
import { filesOf, logOf } from "./tree-of.js";

const throwing = (fields: object): unknown => expect.objectContaining(fields);
const range = { code: "EXO_LOG_RANGE" };
const pathsOf = (size: number, known?: number): string[] => [...tilesOf(size, known)].map(tilePath);

describe("a tile's path", () => {
  it.each<[Tile, string]>([
    [{ level: 0, index: 1234067, width: 256 }, "tile/0/x001/x234/067"],
    [{ level: "entries", index: 1234067, width: 8 }, "tile/entries/x001/x234/067.p/8"],
    [{ level: 0, index: 0, width: 1 }, "tile/0/000.p/1"],
    [{ level: 1, index: 999, width: 255 }, "tile/1/999.p/255"],
    [{ level: 5, index: 1000, width: 256 }, "tile/5/x001/000"],
    [{ level: 63, index: 2 ** 31, width: 256 }, "tile/63/x002/x147/x483/648"],
    [{ level: 0, index: 2 ** 45 - 1, width: 256 }, "tile/0/x035/x184/x372/x088/831"],
    [{ level: 0, index: 2 ** 53 - 1, width: 256 }, "tile/0/x009/x007/x199/x254/x740/991"],
  ])("%j is %s", (tile, path) => {
    expect(tilePath(tile)).toBe(path);
  });

  it.each<[string, object]>([
    ["a level of 64", { level: 64 }],
    ["a negative level", { level: -1 }],
    ["a level that leads elsewhere", { level: "../.." }],
    ["a negative index", { index: -1 }],
    ["half an index", { index: 0.5 }],
    ["an index of 2^53", { index: 2 ** 53 }],
    ["a width of 0", { width: 0 }],
    ["a width of 257", { width: 257 }],
    ["a width that is no number", { width: Number.NaN }],
  ])("there is none for %s", (_name, wrong) => {
    const tile = { level: 0, index: 0, width: 256, ...wrong } as Tile;
    expect(() => tilePath(tile)).toThrow(throwing(range));
  });
});

describe("the tiles of a tree", () => {
  it("of 70,000 leaves are those of the specification's example", () => {
    const tiles = [...tilesOf(70_000)].filter(({ level }) => level !== "entries");
    const at = (level: number): number[] => tiles.filter((tile) => tile.level === level).map(({ width }) => width);
    expect(at(0)).toEqual([...Array(273).fill(256), 112]);
    expect(at(1)).toEqual([256, 17]);
    expect(at(2)).toEqual([1]);
    expect(tiles.length).toBe(277);
    expect([...tilesOf(70_000)].filter(({ level }) => level === "entries").map(({ width }) => width)).toEqual(at(0));
  });

  it.each<[number, string[]]>([
    [0, []],
    [1, ["tile/entries/000.p/1", "tile/0/000.p/1"]],
    [255, ["tile/entries/000.p/255", "tile/0/000.p/255"]],
    [256, ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]],
    [257, ["tile/entries/000", "tile/entries/001.p/1", "tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1"]],
  ])("of %i leaves", (size, paths) => {
    expect(pathsOf(size)).toEqual(paths);
  });

  it("beyond 2^31 and up to 2^53-1 leaves are found by arithmetic alone", () => {
    const size = 2 ** 40 + 256 + 3;
    expect(pathsOf(size, size - 3)).toEqual(["tile/entries/x004/x294/x967/297.p/3", "tile/0/x004/x294/x967/297.p/3"]);
    expect(pathsOf(2 ** 31 + 1, 2 ** 31)).toEqual(["tile/entries/x008/x388/608.p/1", "tile/0/x008/x388/608.p/1"]);
    expect(pathsOf(2 ** 48, 2 ** 48 - 1)).toEqual([
      "tile/entries/x001/x099/x511/x627/775",
      "tile/0/x001/x099/x511/x627/775",
      "tile/1/x004/x294/x967/295",
      "tile/2/x016/x777/215",
      "tile/3/x065/535",
      "tile/4/255",
      "tile/5/000",
      "tile/6/000.p/1",
    ]);
    const last = [...tilesOf(2 ** 53 - 1, 2 ** 53 - 2)];
    expect(last).toEqual([
      { level: "entries", index: 2 ** 45 - 1, width: 255 },
      { level: 0, index: 2 ** 45 - 1, width: 255 },
    ]);
  });

  it.each([
    [-1, 0],
    [1, 2],
    [2 ** 53, 0],
    [1.5, 0],
    [5, -1],
  ])("are none for %d leaves after %d", (size, known) => {
    expect(() => [...tilesOf(size, known)]).toThrow(throwing(range));
  });

  it("that a smaller tree lacked complete its files", () => {
    fc.assert(
      fc.property(fc.nat(1200), fc.nat(1200), (one, other) => {
        const [known, size] = [Math.min(one, other), Math.max(one, other)];
        const both = new Set([...pathsOf(known), ...pathsOf(size, known)]);
        for (const path of pathsOf(size)) expect(both).toContain(path);
        const again = pathsOf(known).filter((path) => pathsOf(size, known).includes(path));
        expect(again).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  it("hold the hashes that RFC 6962 defines", async () => {
    for (const size of [1, 255, 256, 513, 700]) {
      const view = await logOf(size);
      const leaves = Array.from({ length: size }, (_, at) => view.leaf(at));
      const files = filesOf(view);
      expect(view.root).toEqual(naiveRoot(leaves));
      for (const { level, index, width } of tilesOf(size)) {
        const bytes = files.get(tilePath({ level, index, width }));
        if (level === "entries") {
          expect(parseEntries(bytes ?? new Uint8Array(), width)).toEqual(
            leaves.slice(index * 256, index * 256 + width),
          );
          continue;
        }
        const span = 256 ** level;
        for (let at = 0; at < width; at += 1) {
          const start = (index * 256 + at) * span;
          expect(bytes?.slice(at * 32, at * 32 + 32)).toEqual(naiveRoot(leaves.slice(start, start + span)));
        }
      }
    }
  });
});

describe("an entry bundle", () => {
  it("is entries behind their lengths, and comes apart again", () => {
    const bundle = formatEntries([text("ab"), new Uint8Array(), new Uint8Array(258)]);
    expect([...bundle.slice(0, 8)]).toEqual([0, 2, 97, 98, 0, 0, 1, 2]);
    expect(parseEntries(bundle, 3)).toEqual([text("ab"), new Uint8Array(), new Uint8Array(258)]);
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 }), (entries) => {
        expect(parseEntries(formatEntries(entries), entries.length)).toEqual(entries);
      }),
    );
  });

  it("that is cut, longer or of another number is none", () => {
    const bundle = formatEntries([text("ab"), text("c")]);
    for (let end = 0; end < bundle.length; end += 1) expect(parseEntries(bundle.slice(0, end), 2)).toBeUndefined();
    expect(parseEntries(Uint8Array.of(...bundle, 0), 2)).toBeUndefined();
    expect(parseEntries(Uint8Array.of(...bundle, 0, 0), 2)).toBeUndefined();
    expect(parseEntries(bundle, 1)).toBeUndefined();
    expect(parseEntries(bundle, 3)).toBeUndefined();
  });

  it("has no room for an entry of 65,536 bytes", () => {
    expect(parseEntries(formatEntries([new Uint8Array(65_535)]), 1)?.[0]?.length).toBe(65_535);
    expect(() => formatEntries([new Uint8Array(65_536)])).toThrow(throwing(range));
    const tile: Tile = { level: "entries", index: 0, width: 1 };
    expect(() =>
      tileBytes(
        tile,
        () => new Uint8Array(),
        () => new Uint8Array(65_536),
      ),
    ).toThrow(throwing(range));
  });
});

describe("a consistency proof as text", () => {
  const hash = new Uint8Array(32).map((_, at) => at);
  const line = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";

  it("is a line of base64 for every hash", () => {
    expect(formatHashLines([hash, hash])).toBe(line + line);
    expect(parseHashLines(line + line)).toEqual([hash, hash]);
    expect(formatHashLines([])).toBe("");
  });

  it.each([
    ["no last newline", line.trim()],
    ["an empty line", `${line}\n`],
    ["a carriage return", line.replace("\n", "\r\n")],
    ["a space", ` ${line}`],
    ["stray bits", line.replace("8=", "9=")],
    ["31 bytes", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==\n"],
    ["33 bytes", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g\n"],
    ["55 hashes", line.repeat(55)],
  ])("is refused with %s", (_name, wrong) => {
    expect(() => parseHashLines(wrong)).toThrow(throwing({ code: "EXO_LOG_PROOF" }));
  });
});
