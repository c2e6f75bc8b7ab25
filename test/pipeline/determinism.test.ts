import { describe, expect, test } from "vitest";
import type { SandboxHost } from "../../src/ports.js";
import { realPool } from "../support/real.js";
import { draft, endOf, openRig, pluginAt, requestOf, usualRules } from "../support/rig.js";
import { grant, resolution } from "../support/sign.js";
import { keys } from "../support/world.js";

const pool = realPool({ size: 1 });
const nonce = (letter: string) => ({ nonce: letter.repeat(42) + "A" });

/** The whole content of a store, and every bundle, after one scenario. */
async function run(
  options: { seed?: string; text?: string; sandbox?: SandboxHost } = {},
): Promise<{ store: Map<string, string>; bundles: string[]; checkpoint: string }> {
  const { seed = "seed", text = "hello", sandbox } = options;
  const rig = await openRig({ seed, ...(sandbox === undefined ? {} : { sandbox, plugins: [pluginAt("plugins/fs")] }) });
  const results = [
    await rig.pipeline.execute(draft("fs.write", "data/a.csv", { parameters: { text } })),
    await rig.pipeline.execute(draft("fs.read", "data/orders.csv")),
    await rig.pipeline.execute(draft("fs.read", "secret/x.csv")),
    await rig.pipeline.execute(draft("fs.read", "data/missing.csv")),
  ];
  rig.clock.advance(1234);
  const request = requestOf(await rig.pipeline.execute(draft("fs.remove", "data/orders.csv")));
  results.push(await rig.pipeline.decide(await grant(request, "alice", keys.alice, nonce("B"))));
  rig.disk.onWrite = () => Promise.resolve("unknown");
  const doubt = await rig.pipeline.execute(draft("fs.write", "data/b.csv", { parameters: { text } }));
  results.push(await rig.pipeline.resolve(await resolution(doubt.intentId, "unknown", nonce("C"))));
  expect(results.map((result) => result.status)).toEqual([
    "executed",
    "executed",
    "denied",
    "failed",
    "executed",
    "in_doubt",
  ]);
  const bundles = results.map(({ intentId }) => Buffer.from(rig.pipeline.bundle(intentId)?.bytes() ?? []).toString());
  const store = new Map(
    [...rig.store.range({ gte: " ", lt: "~" })].map(([key, value]) => [key, Buffer.from(value).toString("base64")]),
  );
  return { store, bundles, checkpoint: rig.ledger.checkpoint() };
}

describe("the same scenario under the same clock, ids and entropy", () => {
  test("gives byte-identical bundles, store and checkpoint", async () => {
    const [first, second] = [await run(), await run()];
    expect(second.bundles).toEqual(first.bundles);
    expect(second.checkpoint).toBe(first.checkpoint);
    expect([...second.store]).toEqual([...first.store]);
    expect(first.bundles.every((bundle) => bundle.length > 1000)).toBe(true);
  });

  test("also with real guests", async () => {
    const [first, second] = [await run({ sandbox: pool }), await run({ sandbox: pool })];
    expect(second.bundles).toEqual(first.bundles);
    expect([...second.store]).toEqual([...first.store]);
  });

  test("and other ones when a seed or an input differs", async () => {
    const first = await run();
    const seeded = await run({ seed: "other" });
    const changed = await run({ text: "hallo" });
    for (const [index, bundle] of first.bundles.entries()) expect(seeded.bundles[index]).not.toBe(bundle);
    expect(changed.bundles[0]).not.toBe(first.bundles[0]);
    expect(changed.checkpoint).not.toBe(first.checkpoint);
  });

  test("the bundle of a result is the bundle of its intent, at any later time", async () => {
    const rig = await openRig();
    const first = await rig.pipeline.execute(draft("fs.read", "data/orders.csv"));
    if (first.status !== "executed") throw new Error(endOf(first));
    const early = JSON.parse(new TextDecoder().decode(first.bundle.bytes())) as { [name: string]: unknown };
    await rig.pipeline.execute(draft("fs.read", "data/orders.csv"));
    const late = rig.pipeline.bundle(first.intentId);
    const later = JSON.parse(new TextDecoder().decode(late?.bytes())) as { [name: string]: unknown };
    expect(late?.digest).toBe(first.bundle.digest);
    expect({ ...later, logProof: "" }).toEqual({ ...early, logProof: "" });
    expect(later["logProof"]).not.toBe(early["logProof"]);
    expect(usualRules.length).toBeGreaterThan(0);
  });
});
