import { beforeAll, describe, expect, it } from "vitest";
import type { GuestAnswer } from "../../src/ports.js";
import { ReplayEngine } from "../../src/replay/replay-engine.js";
import { resultDigest } from "../../src/replay/result-digest.js";
import { createInlineSandbox, type SeenCall } from "../../src/sandbox/inline.js";
import { realPool } from "../support/real.js";
import { type BundleName, bundleNames, makeWebBundles } from "../web/bundles.js";

const pool = realPool({ size: 1 });
let made: Awaited<ReturnType<typeof makeWebBundles>>;
beforeAll(async () => {
  made = await makeWebBundles(pool);
});

const bundle = (name: BundleName): Uint8Array => made.bytes.get(name) as Uint8Array;

describe("the inline sandbox", () => {
  it.each(bundleNames)("%s: replays as a pool does, another engine's name aside", async (name) => {
    const { trust } = made.rig;
    const seen: SeenCall[] = [];
    const sandbox = createInlineSandbox({ platform: "test", onCall: (call) => seen.push(call) });
    const inline = await new ReplayEngine({ sandbox, trust }).replayBundle(bundle(name));
    const pooled = await new ReplayEngine({ sandbox: pool, trust }).replayBundle(bundle(name));
    expect(inline.result).toBe("success");
    expect(inline.engine).toMatch(/^extism 2\.0\.0-rc13, test$/);
    expect(resultDigest(inline)).toBe(resultDigest(pooled));
    expect(seen.length).toBe(inline.executions[0]?.replayed.hostCalls ?? 0);
    expect(sandbox.load().running).toBe(0);
  });

  it("an answer that does not come at once ends the run as a host fault", async () => {
    const late = Promise.resolve<GuestAnswer>({ kind: "answer", response: new Uint8Array(0) });
    const sandbox = createInlineSandbox({ platform: "test" });
    const waiting = {
      ...sandbox,
      run: (job: Parameters<typeof sandbox.run>[0]) => sandbox.run({ ...job, call: () => late }),
    };
    const report = await new ReplayEngine({ sandbox: waiting }).replayBundle(bundle("executed"));
    expect([report.result, report.levels.execution]).toEqual(["partial", "unable"]);
  });

  it("a result digest changes with one unit of fuel", async () => {
    const report = await new ReplayEngine({ sandbox: pool }).replayBundle(bundle("executed"));
    const [run] = report.executions;
    if (run === undefined) throw new Error("nothing was executed");
    const other = { ...report, executions: [{ ...run, replayed: { ...run.replayed, fuel: run.replayed.fuel + 1 } }] };
    expect(resultDigest(other)).not.toBe(resultDigest(report));
    expect(resultDigest({ ...report, engine: "another" })).toBe(resultDigest(report));
  });
});
