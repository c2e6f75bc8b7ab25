import { expect, it } from "vitest";
import { playCrashRounds } from "../e2e/support/crash-rounds.js";
import { crashSeed } from "../e2e/support/crash-soak.js";

it("100 kills of 16 writers lose nothing and repeat nothing", async () => {
  const seed = crashSeed();
  console.log(`crash rounds: EXOARMUR_SEED=${seed} kills at the same points again`);
  const counts = await playCrashRounds({ seed, to: 100 });
  console.log(`crash rounds: ${JSON.stringify(counts)}`);
  expect(counts.rounds).toBe(100);
  expect(counts.told).toBeGreaterThan(100);
  for (const name of ["inDoubt", "spent", "shipped", "shippedInDoubt"] as const) {
    expect(counts[name], name).toBeGreaterThan(0);
  }
});
