import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { canonicalText } from "../../src/canonical/jcs.js";
import { decodeAbi, encodeAbi } from "../../src/canonical/msgpack.js";
import { decodeBase64, decodeHex, encodeBase64, encodeHex } from "../../src/crypto/encoding.js";
import type { AbiValue } from "../../src/ports.js";

type Row = { readonly name: string; readonly hex: string };
const vectors = JSON.parse(readFileSync(new URL("../../spec/vectors/abi.json", import.meta.url), "utf8")) as {
  accept: readonly (Row & { readonly value: unknown })[];
  reject: readonly Row[];
};

/** A decoded value as the vectors write it: bytes as {"$bytes": base64}. */
function written(value: AbiValue): unknown {
  if (value instanceof Uint8Array) return { $bytes: encodeBase64(value) };
  if (Array.isArray(value)) return value.map((item: AbiValue) => written(item));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, written(item as AbiValue)]));
}

/** The reverse of `written`. */
function read(value: unknown): AbiValue {
  if (Array.isArray(value)) return value.map(read);
  if (typeof value !== "object" || value === null) return value as AbiValue;
  if ("$bytes" in value) return decodeBase64(String(value.$bytes)) ?? null;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, read(item)]));
}

const bytesOf = (hex: string): Uint8Array => decodeHex(hex) ?? new Uint8Array(0);

describe("spec/vectors/abi.json", () => {
  test.each(vectors.accept)("$name is read and written", ({ hex, value }) => {
    const decoded = decodeAbi(bytesOf(hex));
    expect(canonicalText(written(decoded))).toBe(canonicalText(value));
    expect(encodeHex(encodeAbi(read(value)))).toBe(hex);
  });

  test.each(vectors.reject)("$name is refused", ({ hex }) => {
    expect(() => decodeAbi(bytesOf(hex))).toThrow(expect.objectContaining({ code: "EXO_MSGPACK" }));
  });

  test("has the vectors it is known to have", () => {
    expect([vectors.accept.length, vectors.reject.length]).toEqual([7, 14]);
  });
});
