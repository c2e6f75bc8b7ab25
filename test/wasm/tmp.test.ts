import { test } from "vitest";
import { checkModule } from "./generate/check.js";
import { makeModule } from "./generate/module.js";

test("x", { timeout: 3e6 }, () => {
  const n = Number(process.env["N"] ?? 300);
  for (let i = 0; i < n; i++) {
    const r = checkModule(makeModule(`mt:${i}`));
    if ("kind" in r) {
      console.log(`FOUND at ${i}: ${r.kind}: ${r.detail.slice(0, 150)}`);
      return;
    }
  }
  console.log("SURVIVED");
});
