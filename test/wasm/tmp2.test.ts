import { writeSync } from "node:fs";
import { test } from "vitest";
import { hostileShapes } from "./generate/hostile.js";
import { describeScaling, measureScaling } from "./generate/scaling.js";

test("x", { timeout: 3e6 }, () => {
  for (const s of hostileShapes) {
    const m = measureScaling(Number(process.env["SM"] ?? 800000), Number(process.env["LG"] ?? 6400000), (o) => o === s);
    writeSync(2, `${describeScaling(m)}\n`);
  }
});
