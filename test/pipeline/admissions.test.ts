import { beforeEach, describe, expect, it } from "vitest";
import type { TrustedKey } from "../../src/contracts/trust.js";
import { readEvent, storedEvents } from "../../src/pipeline/recorder.js";
import type { Signer, Store } from "../../src/ports.js";
import { createMemoryStore } from "../../src/stores/memory.js";
import { verifyBundle } from "../../src/verify/verify-bundle.js";
import {
  checkStore,
  draft,
  endOf,
  fsPlugin,
  openRig,
  type Plugin,
  type Rig,
  type RigOptions,
  requestOf,
  signedPlugin,
} from "../support/rig.js";
import { grant } from "../support/sign.js";
import { keys, signerNamed, testClock, trusted, usualKeys } from "../support/world.js";

const old = keys.publisher;
const fresh = signerNamed("publisher 2");

const withKeys = (...more: readonly TrustedKey[]): RigOptions => ({
  trustKeys: [...usualKeys, ...more],
  requireSignatures: true,
  plugins: [],
});
const acme = (signer: Signer, bounds: Partial<TrustedKey> = {}, id = "acme"): TrustedKey =>
  trusted("publisher", id, signer, bounds);

const codeOf = async (rig: Rig, plugin: Plugin): Promise<string> => {
  const added = await rig.add(plugin);
  return added.ok ? "admitted" : `${added.error.code}: ${added.error.message}`;
};

/** Every plugin_admitted event of a store, in order. */
const admissions = (store: Store): { version: string; manifestDigest: string; envelopeDigest?: string }[] =>
  storedEvents(store, "default", "system")
    .map(readEvent)
    .filter(({ eventType }) => eventType === "plugin_admitted")
    .map(({ payload }) => payload as never);

const read = draft("fs.read", "data/orders.csv");

describe("where signatures are required", () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = await openRig(withKeys(acme(old), trusted("approver", "acme", keys.mallory), acme(keys.bob, {}, "other")));
  });

  it("a plugin signed by its publisher runs, and its bundle shows who that is", async () => {
    expect(await codeOf(rig, await signedPlugin(fsPlugin(), old))).toBe("admitted");
    const result = await rig.pipeline.execute(read);
    expect(endOf(result)).toBe("executed");
    const bundle = rig.pipeline.bundle(result.intentId);
    const report = verifyBundle(bundle?.bytes() ?? new Uint8Array(), { trust: rig.trust });
    expect(report.result).toBe("pass");
    expect(report.checks.find(({ id }) => id === "publisher")).toMatchObject({
      state: "pass",
      message: expect.stringMatching(/^acme, admitted at log position \d+$/),
    });
    expect(admissions(rig.store)).toMatchObject([{ envelopeDigest: expect.stringMatching(/^sha256:/) }]);
    checkStore(rig);
  });

  it("a refused successor takes the place of what was admitted", async () => {
    await rig.add(await signedPlugin(fsPlugin(), old));
    await rig.add(fsPlugin({ version: "2.0.0" }));
    expect(endOf(await rig.pipeline.execute(read))).toBe("denied EXO_EXECUTOR_UNKNOWN");
  });
});

describe("where signatures are not required", () => {
  it("an unsigned plugin runs, and its bundle carries no publisher", async () => {
    const rig = await openRig();
    const { intentId } = await rig.pipeline.execute(read);
    const report = verifyBundle(rig.pipeline.bundle(intentId)?.bytes() ?? new Uint8Array(), { trust: rig.trust });
    expect(report.checks.find(({ id }) => id === "publisher")?.state).toBe("not_applicable");
    expect(admissions(rig.store)[0]).not.toHaveProperty("envelopeDigest");
  });

  it("a signature that is there must hold all the same", async () => {
    const rig = await openRig({ plugins: [] });
    expect(await codeOf(rig, await signedPlugin(fsPlugin(), old))).toMatch(/^EXO_TRUST/);
  });

  it("a key that acts for some tenants only signs no plugin of the whole cell", async () => {
    const rig = await openRig({ ...withKeys(acme(old, { tenants: ["default"] })), tenants: ["default", "other"] });
    expect(await codeOf(rig, await signedPlugin(fsPlugin(), old))).toMatch(/^EXO_TRUST/);
  });
});

describe("rotation of a publisher's key", () => {
  const v1 = fsPlugin();
  const v2 = fsPlugin({ version: "2.0.0", filler: 1 });

  it("what a key admitted stays, and verifies; it admits nothing new, and its successor takes over", async () => {
    const store = createMemoryStore();
    const clock = testClock();
    const before = await openRig({ ...withKeys(acme(old)), store, clock, seed: "1" });
    expect(await codeOf(before, await signedPlugin(v1, old))).toBe("admitted");
    const { intentId } = await before.pipeline.execute(read);
    const end = before.ledger.size;
    const rotated = withKeys(acme(old, { until: end }), acme(fresh, { from: end }));

    const after = await openRig({ ...rotated, store, clock, seed: "2" });
    expect(await codeOf(after, await signedPlugin(v1, old))).toBe("admitted");
    expect(endOf(await after.pipeline.execute(read))).toBe("executed");
    expect(await codeOf(after, await signedPlugin(v2, old))).toMatch(/^EXO_TRUST/);
    expect(await codeOf(after, await signedPlugin(v2, fresh))).toBe("admitted");
    const latest = await after.pipeline.execute(read);
    expect(endOf(latest)).toBe("executed");
    for (const id of [intentId, latest.intentId]) {
      const report = verifyBundle(after.pipeline.bundle(id)?.bytes() ?? new Uint8Array(), { trust: after.trust });
      expect(report.checks.filter(({ state }) => state === "fail" || state === "unable")).toEqual([]);
    }
    expect(admissions(store).map(({ version }) => version)).toEqual([v1.manifest.version, "2.0.0"]);
    checkStore(after);
  });

  it("the same manifest signed by the new key is another admission", async () => {
    const store = createMemoryStore();
    const before = await openRig({ ...withKeys(acme(old), acme(fresh)), store, seed: "1" });
    await before.add(await signedPlugin(v1, old));
    await before.add(await signedPlugin(v1, fresh));
    const [first, second, ...more] = admissions(store);
    expect(more).toEqual([]);
    expect(second?.manifestDigest).toBe(first?.manifestDigest);
    expect(second?.envelopeDigest).not.toBe(first?.envelopeDigest);
  });

  it("an older version that was replaced since is a new admission: allowed while its key is, refused after", async () => {
    const store = createMemoryStore();
    const before = await openRig({ ...withKeys(acme(old)), store, seed: "1" });
    for (const plugin of [v1, v2, v1, v2]) {
      expect(await codeOf(before, await signedPlugin(plugin, old))).toBe("admitted");
    }
    expect(admissions(store).map(({ version }) => version)).toEqual(["1.0.0", "2.0.0", "1.0.0", "2.0.0"]);
    const after = await openRig({ ...withKeys(acme(old, { until: before.ledger.size })), store, seed: "2" });
    expect(await codeOf(after, await signedPlugin(v2, old))).toBe("admitted");
    expect(await codeOf(after, await signedPlugin(v1, old))).toMatch(/^EXO_TRUST/);
  });

  it("a bundle of a request that outlived a new signature carries both", async () => {
    const rig = await openRig({ ...withKeys(acme(old), acme(fresh)), seed: "1" });
    await rig.add(await signedPlugin(v1, old));
    rig.disk.files.set("data/a.txt", "a");
    const request = requestOf(await rig.pipeline.execute(draft("fs.remove", "data/a.txt")));
    await rig.add(await signedPlugin(v1, fresh));
    expect(endOf(await rig.pipeline.decide(await grant(request, "alice", keys.alice)))).toBe("executed");
    const report = verifyBundle(rig.pipeline.bundle(request.intentId ?? "")?.bytes() ?? new Uint8Array(), {
      trust: rig.trust,
    });
    expect(report.checks.find(({ id }) => id === "publisher")).toMatchObject({
      state: "pass",
      message: expect.stringMatching(/position \d+, \d+$/),
    });
    expect(report.result).toBe("pass");
  });
});

describe("admissions in the log", () => {
  it("one for every change of what a name stands for, none for what stands", async () => {
    const store = createMemoryStore();
    const first = await openRig({ store, plugins: [fsPlugin()], seed: "1" });
    await first.add(fsPlugin());
    await first.add(fsPlugin({ version: "1.1.0" }));
    await openRig({ store, plugins: [fsPlugin({ version: "1.1.0" })], seed: "2" });
    expect(admissions(store).map(({ version }) => version)).toEqual(["1.0.0", "1.1.0"]);
  });

  it("a plugin that is taken away is found by no intent, and the same one comes back without a new admission", async () => {
    const rig = await openRig();
    rig.pipeline.removeExecutor("fs");
    expect(endOf(await rig.pipeline.execute(read))).toBe("denied EXO_EXECUTOR_UNKNOWN");
    await rig.add(fsPlugin());
    expect(endOf(await rig.pipeline.execute(read))).toBe("executed");
    expect(admissions(rig.store)).toHaveLength(1);
  });
});

describe("a plugin that changes while intents are under way", () => {
  it("a run keeps the version it started with", async () => {
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const rig = await openRig();
    rig.sandbox.scripts["read"] = async () => {
      await gate;
      return { done: true };
    };
    const running = rig.pipeline.execute(read);
    while (rig.sandbox.jobs.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    const [before] = rig.pipeline.executors.list();
    await rig.add(fsPlugin({ version: "2.0.0", filler: 1 }));
    rig.pipeline.removeExecutor("fs");
    release();
    const result = await running;
    expect(endOf(result)).toBe("executed");
    expect(rig.sandbox.jobs[0]?.module.digest).toBe(before?.sealed.digest);
    checkStore(rig);
  });

  it("an intent that waits for its turn is judged on what is registered then", async () => {
    const rig = await openRig();
    let entered = (): void => undefined;
    const inside = new Promise<void>((resolve) => {
      entered = resolve;
    });
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const blocker = rig.ledger.transact(async () => {
      entered();
      await gate;
    });
    await inside;
    const replaced = rig.pipeline.execute(read);
    const removed = rig.pipeline.execute(draft("fs.read", "data/other.csv"));
    const adding = rig.add(fsPlugin({ version: "2.0.0", filler: 1 }));
    await new Promise((resolve) => setTimeout(resolve, 5));
    rig.pipeline.removeExecutor("fs");
    release();
    await blocker;
    expect([endOf(await replaced), endOf(await removed)]).toEqual([
      "denied EXO_EXECUTOR_UNKNOWN",
      "denied EXO_EXECUTOR_UNKNOWN",
    ]);
    await adding;
    expect(rig.sandbox.jobs).toEqual([]);
    checkStore(rig);
  });

  it.each([
    ["another module", fsPlugin({ filler: 1 }), "denied EXO_APPROVAL_STALE"],
    ["another manifest", fsPlugin({ version: "1.0.1" }), "denied EXO_APPROVAL_STALE"],
    ["nothing", null, "denied EXO_APPROVAL_STALE"],
    ["the same", fsPlugin(), "executed"],
  ])("an approval holds for what it was asked for: %s in its place", async (_, plugin, end) => {
    const rig = await openRig();
    rig.disk.files.set("data/a.txt", "a");
    const request = requestOf(await rig.pipeline.execute(draft("fs.remove", "data/a.txt")));
    if (plugin === null) rig.pipeline.removeExecutor("fs");
    else await rig.add(plugin);
    expect(endOf(await rig.pipeline.decide(await grant(request, "alice", keys.alice)))).toBe(end);
    expect(rig.disk.files.has("data/a.txt")).toBe(end !== "executed");
    checkStore(rig);
  });

  it("versions that follow each other while runs go on mix nothing", async () => {
    const rig = await openRig();
    const runs: Promise<unknown>[] = [];
    for (let round = 1; round <= 20; round++) {
      runs.push(rig.pipeline.execute(draft("fs.read", `data/${round}.csv`)));
      runs.push(rig.add(fsPlugin({ version: `1.0.${round}`, filler: round % 2 })));
      if (round % 5 === 0) rig.pipeline.removeExecutor("fs");
    }
    await Promise.all(runs);
    // Every bundle verifies: one manifest, one module, and the module is the manifest's.
    expect(checkStore(rig)).toHaveLength(20);
    expect(admissions(rig.store)).toHaveLength(21);
  });
});
