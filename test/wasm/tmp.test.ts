import { writeSync } from "node:fs";
import { test } from "vitest";
import { checkModule } from "./generate/check.js";
import { admittedNames, unknownNames } from "./generate/instructions.js";
import { makeModule } from "./generate/module.js";
import { describeRounds, playRounds } from "./generate/rounds.js";

test("x", () => {
  const seed = process.env["S"] ?? "a";
  if (process.env["V"]) {
    for (let i = Number(process.env["F"] ?? 0); i < Number(process.env["N"]); i++) {
      const t = performance.now();
      writeSync(2, `${i} `);
      const tree = makeModule(`${seed}:${i}`);
      const t1 = performance.now();
      const r = checkModule(tree);
      writeSync(
        2,
        `gen ${(t1 - t).toFixed(0)} check ${(performance.now() - t1).toFixed(0)} ${"kind" in r ? r.kind + r.detail.slice(0, 200) : r.fuel}\n`,
      );
    }
    return;
  }
  console.log(unknownNames);
  const plan = { seed, from: Number(process.env["F"] ?? 0), count: Number(process.env["N"] ?? 150), budgetMs: 1e6 };
  const t = performance.now();
  const r = playRounds(plan);
  console.log(describeRounds(plan, r), (performance.now() - t) / r.ran);
  console.log(
    [...r.executed]
      .sort((a, b) => a[1] - b[1])
      .slice(0, 30)
      .join(" "),
  );
  console.log("missing", admittedNames.filter((n) => !r.executed.has(n)).join(" "));
});
