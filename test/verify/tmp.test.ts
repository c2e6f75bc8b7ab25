import { expect, it } from "vitest";
import { makeBundles } from "../support/bundles.js";
import { Forge } from "../support/forge.js";
import { verifyBundle } from "../../src/verify/verify-bundle.js";
it("x", async () => {
  const t = performance.now();
  const b = await makeBundles();
  console.log(performance.now() - t);
  for (const [n, bytes] of Object.entries(b.bytes)) {
    for (const trust of [undefined, b.trust]) {
      const r = verifyBundle(bytes, trust ? { trust } : {});
      console.log(n, bytes.length, r.result, JSON.stringify(r.counts), r.checks.filter((c) => c.state === "fail" || c.state === "unable").map((c) => c.id + ":" + c.message));
    }
    const f = new Forge(bytes);
    const r = verifyBundle(await f.pack(), { trust: b.trust });
    expect(r.result).toBe("pass");
    console.log(f.predicate.events.map((e) => e.eventType).join(" "));
  }
});
