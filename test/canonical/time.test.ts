import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatTime, isTime, parseTime } from "../../src/canonical/time.js";
import { codeOf } from "./helpers.js";

const last = 253_402_300_799_999;

test.each<[number, string]>([
  [0, "1970-01-01T00:00:00.000Z"],
  [last, "9999-12-31T23:59:59.999Z"],
  [951_782_400_000, "2000-02-29T00:00:00.000Z"],
  [951_868_799_999, "2000-02-29T23:59:59.999Z"],
  [1_709_210_096_789, "2024-02-29T12:34:56.789Z"],
  [4_107_542_400_000, "2100-03-01T00:00:00.000Z"],
])("%d is %s", (ms, text) => {
  expect(formatTime(ms)).toBe(text);
  expect(parseTime(text)).toBe(ms);
});

test("agrees with Date, which the code does not use", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: last }), (ms) => {
      expect(formatTime(ms)).toBe(new Date(ms).toISOString());
      expect(parseTime(formatTime(ms))).toBe(ms);
    }),
    { numRuns: 2000 },
  );
});

describe("refused", () => {
  test.each([-1, last + 1, 0.5, NaN, Infinity, -Infinity])("formatting %d", (ms) => {
    expect(codeOf(() => formatTime(ms))).toBe("EXO_SCHEMA");
  });

  test.each([
    "",
    "2024-02-29",
    "2024-02-29T12:34:56Z",
    "2024-02-29T12:34:56.7Z",
    "2024-02-29T12:34:56.7890Z",
    "2024-02-29T12:34:56.789",
    "2024-02-29T12:34:56.789+00:00",
    "2024-02-29t12:34:56.789z",
    "2024-02-29 12:34:56.789Z",
    " 2024-02-29T12:34:56.789Z",
    "2024-02-29T12:34:56.789Z\n",
    "2023-02-29T00:00:00.000Z",
    "2100-02-29T00:00:00.000Z",
    "2024-02-30T00:00:00.000Z",
    "2024-04-31T00:00:00.000Z",
    "2024-00-01T00:00:00.000Z",
    "2024-13-01T00:00:00.000Z",
    "2024-01-00T00:00:00.000Z",
    "2024-01-32T00:00:00.000Z",
    "2024-01-01T24:00:00.000Z",
    "2024-01-01T00:60:00.000Z",
    "2016-12-31T23:59:60.000Z",
    "1969-12-31T23:59:59.999Z",
    "0000-01-01T00:00:00.000Z",
    "10000-01-01T00:00:00.000Z",
    "+2024-01-01T00:00:00.000Z",
    "٢٠٢٤-01-01T00:00:00.000Z",
  ])("parsing %j", (text) => {
    expect(codeOf(() => parseTime(text))).toBe("EXO_SCHEMA");
    expect(isTime(text)).toBe(false);
  });

  test("isTime accepts what parseTime does", () => {
    expect(isTime("2024-02-29T12:34:56.789Z")).toBe(true);
  });
});
