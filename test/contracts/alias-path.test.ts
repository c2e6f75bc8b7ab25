import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isUnder, parseAliasPath, startsWithSegments } from "../../src/contracts/alias-path.js";

test.each<[string, string[]]>([
  ["data", ["data"]],
  ["data/orders.csv", ["data", "orders.csv"]],
  ["data/a b/é/日本/😀", ["data", "a b", "é", "日本", "😀"]],
  ["data/...", ["data", "..."]],
  ["data/.hidden/..x/x..", ["data", ".hidden", "..x", "x.."]],
  ["data/C:/x", ["data", "C:", "x"]],
  ["data/%2e%2e/x", ["data", "%2e%2e", "x"]],
])("%j is a root-alias path", (text, segments) => {
  expect(parseAliasPath(text)).toEqual(segments);
});

test.each([
  "",
  "/",
  "/data",
  "//data",
  "data/",
  "data//x",
  ".",
  "..",
  "./data",
  "data/.",
  "data/..",
  "data/../x",
  "data/./x",
  "data\\x",
  "data/..\\x",
  "\\\\host\\share",
  "C:/x",
  "c:",
  "Z:x",
  "data/\u0000",
  "data/\n",
  "data/\u001f",
  "data/\u007f",
  "data/\u0085",
  "data/\u009f",
  "data/\ud800",
  "data/\udc00x",
  "data/\udc00\ud800",
  "data/\ud800x",
])("%j is not", (text) => {
  expect(parseAliasPath(text)).toBeNull();
});

test("at most 4,096 bytes of UTF-8, not characters", () => {
  const segment = (text: string, count: number) => `d/${text.repeat(count)}`;
  expect(parseAliasPath(segment("a", 4094))).not.toBeNull();
  expect(parseAliasPath(segment("a", 4095))).toBeNull();
  expect(parseAliasPath(segment("é", 2047))).not.toBeNull();
  expect(parseAliasPath(segment("é", 2048))).toBeNull();
  expect(parseAliasPath(segment("日", 1364))).not.toBeNull();
  expect(parseAliasPath(segment("日", 1365))).toBeNull();
  expect(parseAliasPath(segment("😀", 1023))).not.toBeNull();
  expect(parseAliasPath(segment("😀", 1024))).toBeNull();
});

describe("isUnder", () => {
  test.each<[string, string]>([
    ["data", "data"],
    ["data/x", "data"],
    ["data/x/y", "data/x"],
  ])("%j is under %j", (path, base) => {
    expect(isUnder(path, base)).toBe(true);
  });

  test.each<[string, string]>([
    ["database", "data"],
    ["data", "data/x"],
    ["data-x/y", "data"],
    ["Data/x", "data"],
    ["data/xy", "data/x"],
    ["/data/x", "data"],
    ["/data/x", "/data"],
    ["data/../etc", "data"],
    ["data/x", "data/"],
    ["data/x", ""],
    ["data/x", "."],
    ["", ""],
    // The same letters, composed and decomposed, are two names.
    ["data/e\u0301", "data/\u00e9"],
  ])("%j is not under %j", (path, base) => {
    expect(isUnder(path, base)).toBe(false);
  });
});

test("agrees with a naive reading of segments", () => {
  const segment = fc.constantFrom("a", "b", "ab", "..", ".", "", "x\\y");
  const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
  const good = (text: string) => text.split("/").every((part) => !["", ".", "..", "x\\y"].includes(part));
  fc.assert(
    fc.property(path, path, (inner, outer) => {
      const naive = good(inner) && good(outer) && `${inner}/`.startsWith(`${outer}/`);
      expect(isUnder(inner, outer)).toBe(naive);
    }),
    { numRuns: 3000 },
  );
});

test("segments compare one by one", () => {
  expect(startsWithSegments(["a", "b"], [])).toBe(true);
  expect(startsWithSegments(["a"], ["a", "b"])).toBe(false);
  expect(startsWithSegments(["ab"], ["a"])).toBe(false);
});
