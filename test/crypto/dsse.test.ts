import { expect, test } from "vitest";
import { preAuthEncode } from "../../src/crypto/dsse.js";
import { codeOf } from "../canonical/helpers.js";

const text = (type: string, payload: string): string =>
  new TextDecoder().decode(preAuthEncode(type, new TextEncoder().encode(payload)));

test.each([
  ["http://example.com/HelloWorld", "hello world", "DSSEv1 29 http://example.com/HelloWorld 11 hello world"],
  ["", "", "DSSEv1 0  0 "],
  ["é", "€", "DSSEv1 2 é 3 €"],
  ["a b", "1 2", "DSSEv1 3 a b 3 1 2"],
])("PAE(%j, %j)", (type, payload, expected) => {
  expect(text(type, payload)).toBe(expected);
});

test("type and payload cannot trade bytes", () => {
  expect(text("a", "b 1 c")).not.toBe(text("a 5 b", "c"));
});

test("payload bytes are copied as they are", () => {
  expect([...preAuthEncode("t", Uint8Array.of(0, 255, 10)).subarray(-3)]).toEqual([0, 255, 10]);
});

test("a type without UTF-8 is refused", () => {
  expect(codeOf(() => preAuthEncode("\ud800", new Uint8Array(0)))).toBe("EXO_JSON_SURROGATE");
});
