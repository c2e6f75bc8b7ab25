import { describe, expect, test } from "vitest";
import { programs } from "./corpus.js";
import { assemble, fuelGiven, isValid, runOriginal, runSealed, seal, stackGiven } from "./support.js";

describe("a sealed module does what the original does", () => {
  for (const { name, source, calls } of programs) {
    test(`${name}: the same results`, () => {
      const bytes = assemble(source);
      expect(isValid(bytes)).toBe(true);
      const sealed = seal(bytes);
      const before = runOriginal(bytes, calls);
      const after = runSealed(sealed, calls);
      expect(after.results).toEqual(before.results);
      expect(after.results.filter((result) => result.startsWith("other:"))).toEqual([]);
      expect(after.log).toEqual(before.log);
      expect(after.memory).toEqual(before.memory);
    });

    test(`${name}: the same fuel every time`, () => {
      const sealed = seal(assemble(source));
      const once = runSealed(sealed, calls);
      const again = runSealed(sealed, calls);
      expect(again).toEqual(once);
      expect(once.fuel).toBeGreaterThanOrEqual(0n);
      expect(once.fuel).toBeLessThanOrEqual(fuelGiven);
      const trapped = once.results.some((result) => result.startsWith("trap"));
      expect(trapped || once.stack === stackGiven).toBe(true);
    });

    test(`${name}: short of fuel it stops below zero, never with another result`, () => {
      const sealed = seal(assemble(source));
      const full = runSealed(sealed, calls);
      const used = fuelGiven - full.fuel;
      if (used === 0n) {
        return;
      }
      for (const share of [1n, 2n, 3n, 5n, 7n]) {
        const given = ((used - 1n) * share) / 7n;
        const run = runSealed(sealed, calls, given);
        expect(run.fuel).toBeLessThan(0n);
        expect(run.results).toContain("trap: unreachable");
        const upTo = run.results.indexOf("trap: unreachable");
        expect(run.results.slice(0, upTo)).toEqual(full.results.slice(0, upTo));
        expect(run.log).toEqual(full.log.slice(0, run.log.length));
      }
      const exact = runSealed(sealed, calls, used);
      expect(exact.results).toEqual(full.results);
      expect(exact.fuel).toBe(0n);
    });
  }

  test("sealing is a function of its input", () => {
    for (const { source } of programs) {
      const bytes = assemble(source);
      const one = seal(bytes);
      const two = seal(bytes.slice(), { capabilities: ["fs_read", "clock_now"] });
      expect(two.digest).toBe(one.digest);
      expect(two.bytes).toEqual(one.bytes);
      expect(one.original).not.toBe(one.digest);
    }
  });
});
