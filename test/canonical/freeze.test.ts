import { expect, test } from "vitest";
import { deepFreeze } from "../../src/canonical/freeze.js";

test("freezes every level and returns the same value", () => {
  const value = { a: [{ b: 1 }], c: { d: { e: null } } };
  expect(deepFreeze(value)).toBe(value);
  expect([value, value.a, value.a[0], value.c, value.c.d].every(Object.isFrozen)).toBe(true);
  expect(() => value.a.push({ b: 2 })).toThrow(TypeError);
  expect(() => {
    value.c.d.e = 1 as unknown as null;
  }).toThrow(TypeError);
});

test("takes scalars and leaves typed arrays alone", () => {
  expect([1, "a", null, undefined, true].map(deepFreeze)).toEqual([1, "a", null, undefined, true]);
  const value = deepFreeze({ bytes: new Uint8Array(2) });
  expect(Object.isFrozen(value)).toBe(true);
  value.bytes[0] = 1;
  expect(value.bytes[0]).toBe(1);
});

test("a frozen shell does not hide what is not frozen", () => {
  const inner = { b: 1 };
  deepFreeze(Object.freeze({ inner }));
  expect(Object.isFrozen(inner)).toBe(true);
});
