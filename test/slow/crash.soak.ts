import { expect, it } from "vitest";
import { playSoak, readSoak, SOAK_STATE } from "../e2e/support/crash-soak.js";

const rounds = 1000;

it("1,000 kills of 16 writers lose nothing and repeat nothing, 55 minutes of them now and the rest next time", async () => {
  const before = readSoak(SOAK_STATE, rounds).next;
  const { next, counts } = await playSoak(SOAK_STATE, rounds, 3_300_000);
  expect(next).toBeGreaterThan(before);
  expect(counts.rounds).toBe(next);
  expect(counts.told).toBeGreaterThan(0);
});
