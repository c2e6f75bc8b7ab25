import { expect, test } from "vitest";
import { playLongMutants } from "../wasm/generate/long.js";
import { describeScaling, measureScaling } from "../wasm/generate/scaling.js";

test("damaged modules are judged as the engine judges them, 3 minutes", () => {
  playLongMutants(1_000_000, 180_000);
});

test("eight times the module takes about eight times the time, and memory in proportion", () => {
  const measured = measureScaling(400_000, 3_200_000);
  console.log(describeScaling(measured));
  for (const { name, bytes, small, large, megabytes } of measured) {
    const [one, other] = bytes;
    // Processor time, of processes of their own; small times are noisy.
    expect([name, large < 2 * (small + 30) * (other / one)]).toEqual([name, true]);
    expect([name, megabytes < 100 + (80 * other) / 1e6]).toEqual([name, true]);
  }
});
