import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as portable from "../../src/crypto/codecs-portable.js";
import {
  compareBytes,
  concatBytes,
  decodeBase64,
  decodeBase64Url,
  decodeHex,
  decodeUtf8,
  encodeBase64,
  encodeBase64Url,
  encodeHex,
  encodeUtf8,
  equalBytes,
  isWellFormed,
} from "../../src/crypto/encoding.js";
import { codeOf } from "../canonical/helpers.js";

const own = { decodeBase64, decodeBase64Url, decodeHex, encodeBase64, encodeBase64Url, encodeHex };

describe.each([
  ["#crypto", own],
  ["portable", portable],
])("codecs of %s", (_, codec) => {
  test.each([
    ["", "", "", ""],
    ["66", "Zg==", "Zg", "66"],
    ["666f", "Zm8=", "Zm8", "666f"],
    ["666f6f", "Zm9v", "Zm9v", "666f6f"],
    ["fbefbe", "++++", "----", "fbefbe"],
    ["ffffff", "////", "____", "ffffff"],
    ["fffe", "//4=", "__4", "fffe"],
  ])("%s", (hex, base64, url, text) => {
    const bytes = Uint8Array.from(Buffer.from(hex, "hex"));
    expect([codec.encodeBase64(bytes), codec.encodeBase64Url(bytes), codec.encodeHex(bytes)]).toEqual([
      base64,
      url,
      text,
    ]);
    expect([codec.decodeBase64(base64), codec.decodeBase64Url(url), codec.decodeHex(text)]).toEqual([
      bytes,
      bytes,
      bytes,
    ]);
  });

  test.each([
    "Z",
    "Zg",
    "Zg=",
    "Zg===",
    "Zh==",
    "Zm9=",
    "Zm8",
    "=",
    "==",
    "====",
    "Z===",
    "Zg==Zg==",
    "Zm9v\n",
    " Zm9v",
    "Zm 9v",
    "Zm-_",
    "Zm9vé===",
    "Zm9é",
    "Zm9\u0100",
    "Zg==\n\n\n\n",
  ])("%j is not base64", (text) => {
    expect(codec.decodeBase64(text)).toBeUndefined();
  });

  test.each(["Z", "Zg==", "Zm8=", "Zh", "Zm9", "Zm+/", "Zm9v\n", "Zm 9", "Zm9vZ", "é", "Zm9\u0100"])(
    "%j is not base64url",
    (text) => {
      expect(codec.decodeBase64Url(text)).toBeUndefined();
    },
  );

  test.each(["0", "000", "FF", "0g", "0x", " 0", "00\n\n", "éé", "0\u0130"])("%j is not hex", (text) => {
    expect(codec.decodeHex(text)).toBeUndefined();
  });

  test("round trips", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(codec.decodeBase64(codec.encodeBase64(bytes))).toEqual(bytes);
        expect(codec.decodeBase64Url(codec.encodeBase64Url(bytes))).toEqual(bytes);
        expect(codec.decodeHex(codec.encodeHex(bytes))).toEqual(bytes);
      }),
    );
  });

  test("a window on a larger buffer encodes itself alone", () => {
    const window = Uint8Array.of(9, 1, 2, 3, 9).subarray(1, 4);
    expect([codec.encodeHex(window), codec.encodeBase64(window)]).toEqual(["010203", "AQID"]);
  });
});

describe("UTF-8", () => {
  test("encodes and decodes, byte order mark kept", () => {
    expect(encodeHex(encodeUtf8("aé€😀"))).toBe("61c3a9e282acf09f9880");
    expect(decodeUtf8(encodeUtf8("\ufeffa"))).toBe("\ufeffa");
    expect(portable.decodeUtf8(encodeUtf8("\ufeffa"))).toBe("\ufeffa");
  });

  test.each(["ff", "c0af", "eda080", "f4908080", "e282", "80"])("%s is not UTF-8", (hex) => {
    const bytes = Uint8Array.from(Buffer.from(hex, "hex"));
    expect(decodeUtf8(bytes)).toBeUndefined();
    expect(portable.decodeUtf8(bytes)).toBeUndefined();
  });

  test.each(["\ud800", "a\udc00", "\udc00\ud800", "😀\ud83d"])("%j has no UTF-8", (text) => {
    expect(isWellFormed(text)).toBe(false);
    expect(codeOf(() => encodeUtf8(text))).toBe("EXO_JSON_SURROGATE");
  });

  test("isWellFormed accepts pairs", () => {
    expect(["", "a", "😀", "\u{10ffff}"].map(isWellFormed)).toEqual([true, true, true, true]);
  });
});

describe("byte arrays", () => {
  const of = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);
  test("equalBytes", () => {
    expect(equalBytes(of(1, 2), of(1, 2))).toBe(true);
    expect([equalBytes(of(1, 2), of(1, 3)), equalBytes(of(1), of(1, 0)), equalBytes(of(), of(0))]).toEqual([
      false,
      false,
      false,
    ]);
  });

  test("concatBytes copies", () => {
    const part = of(1, 2);
    const whole = concatBytes(part, of(), of(3));
    part[0] = 9;
    expect(whole).toEqual(of(1, 2, 3));
    expect(concatBytes()).toEqual(of());
  });

  test("compareBytes orders as the hex does", () => {
    const list = [of(2), of(1, 255), of(), of(1), of(1, 0), of(128)];
    expect(list.sort(compareBytes).map(encodeHex)).toEqual(["", "01", "0100", "01ff", "02", "80"]);
    expect(compareBytes(of(5), of(5))).toBe(0);
  });
});
