import { decodeTime } from "ulid";
import { describe, expect, test } from "vitest";
import { checkUlid, isUlid, ulidSource } from "../../src/canonical/ids.js";
import type { Entropy } from "../../src/ports.js";
import { codeOf } from "./helpers.js";

function clockOf(...times: number[]): { now(): number } {
  let i = 0;
  return { now: () => times[Math.min(i++, times.length - 1)] ?? 0 };
}

const counting: Entropy = { bytes: (length) => Uint8Array.from({ length }, (_, i) => i * 8) };
const full: Entropy = { bytes: (length) => new Uint8Array(length).fill(255) };

describe("ulidSource", () => {
  test("is a function of clock and entropy alone", () => {
    const ids = ulidSource(clockOf(1_700_000_000_000), counting);
    expect([ids.next(), ids.next(), ids.next()]).toEqual([
      "01HF7YAT00FEDCBA9876543210",
      "01HF7YAT00FEDCBA9876543211",
      "01HF7YAT00FEDCBA9876543212",
    ]);
  });

  test("rises when the clock stands, goes back and goes on", () => {
    const times = [1000, 1000, 999, 1, 1000, 1001, 500, 1002];
    const ids = ulidSource(clockOf(...times), counting);
    const given = times.map(() => ids.next());
    expect(given).toEqual([...new Set(given)].sort());
    expect(given.every(isUlid)).toBe(true);
    expect(given.map((id) => decodeTime(id))).toEqual([1000, 1000, 1000, 1000, 1000, 1001, 1001, 1002]);
  });

  test("ten thousand of one millisecond are distinct and in order", () => {
    const ids = ulidSource(clockOf(5), counting);
    const given = Array.from({ length: 10_000 }, () => ids.next());
    expect(given).toEqual([...new Set(given)].sort());
  });

  test("two sources do not share state", () => {
    const [a, b] = [ulidSource(clockOf(7), counting), ulidSource(clockOf(7), counting)];
    expect(a.next()).toBe(b.next());
  });

  test("never wraps around", () => {
    const ids = ulidSource(clockOf(5), full);
    expect(ids.next()).toBe("0000000005ZZZZZZZZZZZZZZZZ");
    expect(() => ids.next()).toThrow(/./);
  });

  test.each([0, -1, NaN, 0.5, 2 ** 48, Infinity])("refuses the clock's %d", (time) => {
    expect(codeOf(() => ulidSource(clockOf(time), counting).next())).toBe("EXO_INTERNAL");
  });
});

describe("isUlid", () => {
  test.each([
    "",
    "01HF7YAT000123456789ABCDE",
    "01HF7YAT000123456789ABCDEFG",
    "01hf7yat000123456789abcdef",
    "81HF7YAT000123456789ABCDEF",
    "O1HF7YAT000123456789ABCDEF",
    "01HF7YAT00I123456789ABCDEF",
    "01HF7YAT00L123456789ABCDEF",
    "01HF7YAT00U123456789ABCDEF",
    "01HF7YAT000123456789ABCDEF\n",
    " 1HF7YAT000123456789ABCDEF",
  ])("not %j", (text) => {
    expect(isUlid(text)).toBe(false);
    expect(codeOf(() => checkUlid(text))).toBe("EXO_ID");
  });

  test("accepts the least and the greatest", () => {
    expect(isUlid("00000000000000000000000000")).toBe(true);
    expect(checkUlid("7ZZZZZZZZZZZZZZZZZZZZZZZZZ")).toBe("7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
  });
});
