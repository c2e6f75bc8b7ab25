import { test } from "vitest";
import { playMutants } from "./generate/mutants.js";

test("x", { timeout: 3e6 }, () => {
  const t = process.cpuUsage();
  const c = playMutants(
    process.env["S"] ?? "m",
    Number(process.env["F"] ?? 0),
    Number(process.env["N"] ?? 500),
    300_000,
  );
  console.log(c, process.cpuUsage(t).user / 1000 / c.ran);
});
