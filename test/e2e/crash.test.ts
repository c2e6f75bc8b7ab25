import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Shell } from "./cli.js";
import { crashTemplate } from "./support/crash-home.js";
import { playCrashRounds } from "./support/crash-rounds.js";

let template: Shell;

beforeAll(async () => {
  template = await crashTemplate();
});
afterAll(() => template.remove());

describe("a process that is killed", () => {
  it("loses nothing it acknowledged and repeats nothing it began, over 20 kills", { timeout: 240_000 }, async () => {
    const counts = await playCrashRounds(template, { seed: 20_260_101, rounds: 20, note: console.log });
    expect(counts.rounds).toBe(20);
    expect(counts.told).toBeGreaterThan(20);
  });
});
