import { expect, it } from "vitest";
import { crashTemplate } from "../e2e/support/crash-home.js";
import { playLongCrashRounds } from "../e2e/support/crash-rounds.js";

it("100 kills lose nothing and repeat nothing, or as many as fit into 15 minutes", async () => {
  const template = await crashTemplate();
  try {
    const counts = await playLongCrashRounds(template, 100, 900_000);
    expect(counts.rounds).toBeGreaterThan(0);
    expect(counts.told).toBeGreaterThan(counts.rounds);
  } finally {
    template.remove();
  }
});
