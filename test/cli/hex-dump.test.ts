import { describe, expect, it } from "vitest";
import { formatBytes } from "../../src/cli/hex-dump.js";
import type { Divergence } from "../../src/contracts/replay-report.js";
import { encodeHex, encodeUtf8 } from "../../src/crypto/encoding.js";

const divergence: Divergence = {
  level: "execution",
  step: "output",
  kind: "executor_output_mismatch",
  intentId: null,
  expected: "a",
  actual: "b",
};

describe("the bytes around a difference", () => {
  it("are printed on both sides, 16 to a line, control characters as dots", () => {
    const expected = encodeHex(encodeUtf8("the quick\u001b[31m brown fox"));
    const shown = formatBytes({ ...divergence, offset: 4, bytes: { from: 32, expected, actual: "" } });
    expect(shown.map(([, line]) => line)).toEqual([
      "first difference at byte 4",
      "expected  00000020  74 68 65 20 71 75 69 63 6b 1b 5b 33 31 6d 20 62  the quick.[31m b",
      "expected  00000030  72 6f 77 6e 20 66 6f 78                          rown fox",
      "actual    (ends before)",
    ]);
  });

  it("are left out where none were compared", () => {
    expect(formatBytes(divergence)).toEqual([]);
    expect(formatBytes({ ...divergence, offset: 4 })).toEqual([]);
  });
});
