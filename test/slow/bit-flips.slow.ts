import { describe, expect, it } from "vitest";
import { type Bit, flipBits } from "../attacks/bit-flips.js";
import { makeBundles } from "../support/bundles.js";

describe("single-bit flips", () => {
  it("of every bit of a small bundle are found, or claim a layout that no build knows", async () => {
    const { bytes, trust } = await makeBundles();
    const bundle = bytes.refused;
    const every = Array.from({ length: bundle.length * 8 }, (_, n): Bit => [Math.floor(n / 8), n % 8]);
    const { failed, unsupported, undetected } = flipBits(bundle, every, { trust });
    console.log(`${every.length} flips: ${failed} failed, ${unsupported} of another layout`);
    expect(undetected).toEqual([]);
    // The one digit of the layout's revision has no more neighbours than that.
    expect(unsupported).toBeLessThanOrEqual(8);
    expect(failed + unsupported).toBe(every.length);
  });

  it("of a bit of every third byte of an executed and an approved bundle are found as well", async () => {
    const { bytes, trust } = await makeBundles();
    for (const bundle of [bytes.executed, bytes.approved]) {
      const thirds = Array.from({ length: Math.floor(bundle.length / 3) }, (_, n): Bit => [n * 3, n % 8]);
      const { unsupported, undetected } = flipBits(bundle, thirds, { trust });
      expect(undetected).toEqual([]);
      expect(unsupported).toBeLessThanOrEqual(1);
    }
  });
});
