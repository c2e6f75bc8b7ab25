import { describe, expect, test } from "vitest";
import { sealModule } from "../../src/wasm/seal.js";
import { hostileHeaders, hostileShapes, overwhelming } from "./generate/hostile.js";
import { checkMutant, mutantCorpus, playMutants } from "./generate/mutants.js";
import { mutate } from "./generate/mutate.js";
import { checkPlan } from "./generate/plan-check.js";
import { randomOf } from "./generate/random.js";
import { isValidModule } from "./generate/run.js";

describe("damaged modules", () => {
  test("1,000 of one seed are judged as the engine judges them", () => {
    const counts = playMutants("mutants", 0, 1000, Number.POSITIVE_INFINITY);
    expect(counts.ran).toBe(1000);
    expect(counts.admitted).toBeGreaterThan(80);
    expect(counts.compared).toBeGreaterThan(60);
    expect(counts.valid - counts.admitted).toBeLessThan(counts.admitted);
  });

  test("one seed is one mutant", () => {
    const [bytes, other] = mutantCorpus("x", 2).slice(-2) as [Uint8Array, Uint8Array];
    expect(mutate(randomOf("1"), bytes, other)).toEqual(mutate(randomOf("1"), bytes, other));
    expect(mutate(randomOf("1"), bytes, other)).not.toEqual(mutate(randomOf("2"), bytes, other));
  });
});

test("shipped plugins and fixtures have no path that is not paid for", () => {
  for (const bytes of mutantCorpus("", 0)) {
    expect(checkPlan(bytes)).toBeNull();
  }
});

describe("counts and sizes that promise more than there is", () => {
  test.each(hostileHeaders)("%s", (_, bytes) => {
    expect(sealModule(bytes, { capabilities: [], memoryPages: 4, tableElements: 1000 }).ok).toBe(false);
    const before = process.memoryUsage();
    expect(checkMutant(bytes)).toBeNull();
    const after = process.memoryUsage();
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(16_000_000);
    expect(after.heapUsed - before.heapUsed).toBeLessThan(64_000_000);
  });
});

describe("modules an engine would take minutes over", () => {
  test.each(overwhelming.map(({ name, build }) => [name, build] as const))("%s", (_, build) => {
    const started = process.cpuUsage();
    const result = sealModule(build(800_000), { capabilities: [], memoryPages: 4, tableElements: 1000 });
    const { user } = process.cpuUsage(started);
    expect(result.ok ? "admitted" : result.error.code).toBe("EXO_WASM_LIMIT");
    expect(user / 1e6).toBeLessThan(2);
  });
});

describe("modules built to take long", () => {
  test.each(hostileShapes.map(({ name, build }) => [name, build] as const))("%s", (_, build) => {
    const bytes = build(60_000);
    expect(isValidModule(bytes)).toBe(true);
    const result = sealModule(bytes, { capabilities: [], memoryPages: 4, tableElements: 1_000_000 });
    expect(result.ok ? isValidModule(result.value.bytes) : result.error.code).toBe(true);
    expect(checkPlan(bytes)).toBeNull();
  });
});
