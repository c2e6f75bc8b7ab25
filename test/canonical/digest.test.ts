import { expect, test } from "vitest";
import { digestOf, digestOfJson, isDigest, parseDigest } from "../../src/canonical/digest.js";
import { codeOf, utf8 } from "./helpers.js";

const empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

test("the text form of a digest", () => {
  expect(digestOf(new Uint8Array(0))).toBe(empty);
  expect(digestOf(utf8("abc"))).toBe("sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  expect(digestOfJson({ b: 1, a: [] })).toBe(digestOf(utf8('{"a":[],"b":1}')));
  expect(codeOf(() => digestOfJson(new Map()))).toBe("EXO_JSON_TYPE");
});

test("parseDigest gives the bytes", () => {
  expect(Buffer.from(parseDigest(empty)).toString("hex")).toBe(empty.slice(7));
});

test.each<[string]>([
  [""],
  ["sha256:"],
  [empty.slice(7)],
  [empty.slice(0, -1)],
  [`${empty}0`],
  [`${empty}\n`],
  [` ${empty}`],
  [empty.toUpperCase()],
  [empty.replace("e3", "E3")],
  [empty.replace("sha256", "sha512")],
  [empty.replace("e3", "g3")],
])("%j is no digest", (text) => {
  expect(isDigest(text)).toBe(false);
  expect(codeOf(() => parseDigest(text))).toBe("EXO_SCHEMA");
});

test("isDigest takes anything", () => {
  expect([empty, 1, null, undefined, [empty]].map(isDigest)).toEqual([true, false, false, false, false]);
});
