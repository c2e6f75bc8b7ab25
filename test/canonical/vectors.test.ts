import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { canonicalize, canonicalText } from "../../src/canonical/jcs.js";
import { parseCanonical, readJson } from "../../src/canonical/read.js";
import { encodeHex } from "../../src/crypto/encoding.js";
import { sha256 } from "../../src/crypto/sha256.js";
import { codeOf, utf8 } from "./helpers.js";

type Input = { comment: string; input?: string; inputHex?: string };
type Vectors = {
  accept: { comment: string; input: string; canonical: string; sha256: string }[];
  numbers: { bits: string; text?: string; code?: string }[];
  rejectInput: (Input & { code: string })[];
  rejectCanonical: (Input & { code: string })[];
};

const path = new URL("../../spec/vectors/canonical-bytes.json", import.meta.url);
const vectors = JSON.parse(readFileSync(path, "utf8")) as Vectors;

function bytesOf(vector: Input): Uint8Array {
  return vector.inputHex === undefined
    ? utf8(vector.input ?? "")
    : Uint8Array.from(Buffer.from(vector.inputHex, "hex"));
}

test("the file holds as many vectors as were written", () => {
  const counts = [vectors.accept, vectors.numbers, vectors.rejectInput, vectors.rejectCanonical].map(
    (list) => list.length,
  );
  expect(counts).toEqual([17, 29, 83, 31]);
});

describe("accepted input", () => {
  test.each(vectors.accept)("$comment", ({ input, canonical, sha256: digest }) => {
    const bytes = canonicalize(readJson(utf8(input)));
    expect(new TextDecoder().decode(bytes)).toBe(canonical);
    expect(encodeHex(sha256(bytes))).toBe(digest);
    expect(canonicalText(parseCanonical(bytes))).toBe(canonical);
  });
});

describe("numbers", () => {
  test.each(vectors.numbers)("$bits is $text$code", ({ bits, text, code }) => {
    const value = Buffer.from(bits, "hex").readDoubleBE();
    if (text !== undefined) expect(canonicalText(value)).toBe(text);
    else expect(codeOf(() => canonicalText(value))).toBe(code);
  });
});

describe("refused input", () => {
  test.each(vectors.rejectInput)("$comment: $code", (vector) => {
    expect(codeOf(() => readJson(bytesOf(vector)))).toBe(vector.code);
  });
});

describe("refused as canonical bytes", () => {
  test.each(vectors.rejectCanonical)("$comment: $code", (vector) => {
    expect(codeOf(() => parseCanonical(bytesOf(vector)))).toBe(vector.code);
  });
  test.each(vectors.rejectInput)("$comment", (vector) => {
    expect(() => parseCanonical(bytesOf(vector))).toThrow(/./);
  });
});
