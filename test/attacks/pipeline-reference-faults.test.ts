import { describe, expect, test } from "vitest";
import { canonicalize } from "../../src/canonical/jcs.js";
import type { ExecutionProofBundle, Statement } from "../../src/contracts/bundle.js";
import { payloadTypes, signEnvelope } from "../../src/contracts/dsse.js";
import type { CanonicalEvent } from "../../src/contracts/event.js";
import * as library from "../../src/index.js";
import { eventAuditSource, storeAuditSource } from "../../src/replay/audit-source.js";
import { ReplayEngine } from "../../src/replay/replay-engine.js";
import { createMemoryStore } from "../../src/stores/memory.js";
import { verifyBundle } from "../../src/verify/verify-bundle.js";
import { CrashStore } from "../support/crash-store.js";
import { FakeSandbox } from "../support/fake-sandbox.js";
import {
  checkStore,
  draft,
  endOf,
  eventTypes,
  intentRecords,
  openRig,
  pluginAt,
  type Rig,
  requestOf,
  verified,
} from "../support/rig.js";
import { grant, killOrder } from "../support/sign.js";
import { keys, startMs } from "../support/world.js";

// One test per fault that the reference implementation has. Each tries to commit that fault here.

type Parts = { bundle: ExecutionProofBundle; statement: Statement };

async function executed(rig: Rig, path = "data/orders.csv"): Promise<{ intentId: string; bytes: Uint8Array }> {
  const result = await rig.pipeline.execute(draft("fs.read", path, { correlationId: "c" }));
  if (result.status !== "executed") throw new Error(endOf(result));
  return { intentId: result.intentId, bytes: result.bundle.bytes() };
}

/** Changes a bundle and signs it again with the runtime's own key, as an insider could. */
async function reforge(bytes: Uint8Array, change: (parts: Parts) => unknown): Promise<Uint8Array> {
  const bundle = JSON.parse(new TextDecoder().decode(bytes)) as ExecutionProofBundle;
  const statement = JSON.parse(Buffer.from(bundle.envelope.payload, "base64").toString()) as Statement;
  change({ bundle, statement });
  const envelope = await signEnvelope(payloadTypes.statement, canonicalize(statement), keys.runtime);
  return canonicalize({ ...bundle, envelope });
}

const result = (rig: Rig, bytes: Uint8Array): string => verifyBundle(bytes, { trust: rig.trust }).result;

describe("faults of the reference implementation", () => {
  test("beat-01: an executor gets what it was granted and nothing else", async () => {
    const rig = await openRig();
    // One that declares reading asks for everything else there is.
    const tried = [
      ["fs_write", { path: "data/x", bytes: new Uint8Array(1), mode: "create" }],
      ["fs_remove", { path: "data/orders.csv" }],
      ["fs_read", { path: "secret/keys" }],
      ["fs_read", { path: "/etc/passwd" }],
      ["clock_now", {}],
    ] as const;
    const codes: string[] = [];
    rig.sandbox.scripts["read"] = async (guest) => {
      for (const [capability, request] of tried)
        codes.push((await guest.call(capability, request)).error?.code ?? "ok");
      return {};
    };
    await rig.pipeline.execute(draft("fs.read", "data/orders.csv"));
    const denied = "EXO_CAPABILITY_DENIED";
    expect(codes).toEqual([denied, denied, denied, "EXO_FS_PATH", denied]);
    for (const capability of ["process_spawn", "socket_open", "__proto__", "constructor"]) {
      rig.sandbox.scripts["read"] = (guest) => guest.call(capability, {});
      expect(endOf(await rig.pipeline.execute(draft("fs.read", "data/orders.csv")))).toBe("failed EXO_HOST_FAULT");
    }
    expect(rig.disk.done).toEqual([]);
    // An import that no manifest declares does not even load.
    await rig.add(pluginAt("test/fixtures/clock", (manifest) => ({ ...manifest, capabilities: [] })));
    expect(rig.pipeline.executors.listRefused().map(([name]) => name)).toEqual(["clock"]);
    // And nothing exported runs an executor beside the pipeline.
    expect(Object.keys(library).filter((name) => /sandbox|executor|worker|performer|broker/i.test(name))).toEqual([]);
    checkStore(rig);
  });

  test("beat-02: a replay executes again, and sees what a changed executor does", async () => {
    const rig = await openRig();
    const { bytes } = await executed(rig);
    const again = new FakeSandbox();
    const same = await new ReplayEngine({ sandbox: again, trust: rig.trust }).replayBundle(bytes);
    expect([same.result, again.starts]).toEqual(["success", 1]);
    const other = new FakeSandbox({
      read: async (guest) => ({ ...(await guest.call("fs_read", { path: "data/orders.csv" })), forged: true }),
    });
    expect((await new ReplayEngine({ sandbox: other, trust: rig.trust }).replayBundle(bytes)).result).toBe("failure");
    const nosy = new FakeSandbox({ read: (guest) => guest.call("fs_read", { path: "data/people.csv" }) });
    expect((await new ReplayEngine({ sandbox: nosy, trust: rig.trust }).replayBundle(bytes)).result).toBe("failure");
    // The recorded answers were served; no disk was touched by any of the three.
    expect(rig.disk.done).toEqual([]);
  });

  test("beat-03: actor, tenant, type and sequence are covered, and a blank digest is no digest", async () => {
    const rig = await openRig();
    await executed(rig);
    const engine = (events: readonly CanonicalEvent[]): ReplayEngine =>
      new ReplayEngine({ auditStore: eventAuditSource(events) });
    const events = intentRecords(rig.store).flatMap(({ intentId }) => rig.pipeline.trace(intentId));
    expect((await engine(events).replayCorrelation("c")).result).toBe("success");
    const changes: Partial<CanonicalEvent>[] = [
      { actor: { id: "somebody", type: "agent" } },
      { tenantId: "other" },
      { cellId: "elsewhere" },
      { eventType: "execution_completed" },
      { sequence: 9 },
      { recordedAt: "2026-01-31T09:00:00.001Z" },
      { eventId: "01HZZZZZZZZZZZZZZZZZZZZZZZ" },
      { payload: { forged: true } },
      { previous: null },
    ];
    for (const change of changes) {
      const tampered = events.map((event, index) => (index === 1 ? { ...event, ...change } : event));
      expect((await engine(tampered).replayCorrelation("c")).result, JSON.stringify(change)).not.toBe("success");
    }
    const blank = events.map((event, index) => (index === 1 ? { ...event, payloadDigest: "" as never } : event));
    await expect(engine(blank).replayCorrelation("c")).rejects.toMatchObject({ code: "EXO_SCHEMA" });
  });

  test("beat-04: the bundle of an allowed run says allow, of a denied one deny, and neither can say the other", async () => {
    const rig = await openRig();
    const { bytes } = await executed(rig);
    const denied = await rig.pipeline.execute(draft("fs.read", "secret/x"));
    if (denied.status !== "denied") throw new Error(endOf(denied));
    const verdicts = (raw: Uint8Array): unknown => {
      const bundle = JSON.parse(new TextDecoder().decode(raw)) as ExecutionProofBundle;
      return (JSON.parse(Buffer.from(bundle.envelope.payload, "base64").toString()) as Statement).predicate.verdicts;
    };
    expect(verdicts(bytes)).toEqual({ policy: "allow", safety: "allow", final: "allow" });
    expect(verdicts(denied.bundle.bytes())).toEqual({ policy: "deny", safety: "allow", final: "deny" });
    for (const [raw, final] of [
      [bytes, "deny"],
      [denied.bundle.bytes(), "allow"],
    ] as const) {
      verified(raw, rig.trust);
      const forged = await reforge(raw, ({ statement }) =>
        Object.assign(statement.predicate.verdicts, { final, policy: final }),
      );
      expect(result(rig, forged)).toBe("fail");
    }
    for (const junk of [new Uint8Array(0), canonicalize({}), canonicalize({ bundle_id: "x", replay_hash: "y" })]) {
      expect(result(rig, junk)).toBe("fail");
    }
  });

  test("beat-05: an approval is for one action, once, in time, whatever id another one carries", async () => {
    const rig = await openRig();
    const request = requestOf(
      await rig.pipeline.execute(draft("fs.remove", "data/orders.csv", { idempotencyKey: "k" })),
    );
    for (const change of [
      { parameters: { path: "data/people.csv" } },
      { actor: { id: "other-agent", type: "agent" } },
      { tenantId: "other" },
      { action: "fs.write" },
    ]) {
      const base = {
        actor: { id: "report-agent", type: "agent" },
        action: "fs.remove",
        parameters: { path: "data/orders.csv" },
      };
      const attempt = rig.pipeline.execute({ ...base, intentId: request.intentId, ...change } as never);
      await expect(attempt).rejects.toMatchObject({ code: "EXO_INTENT_REUSED" });
    }
    await rig.pipeline.decide(await grant(request, "alice", keys.alice));
    await rig.pipeline.execute(draft("fs.remove", "data/orders.csv", { idempotencyKey: "k" }));
    await expect(rig.pipeline.decide(await grant(request, "bob", keys.bob))).rejects.toMatchObject({
      code: "EXO_APPROVAL_SPENT",
    });
    expect(rig.disk.done).toEqual(["fs_remove data/orders.csv"]);
    const late = requestOf(await rig.pipeline.execute(draft("fs.remove", "data/orders.csv")));
    rig.clock.advance(900_001);
    await expect(rig.pipeline.decide(await grant(late, "alice", keys.alice))).rejects.toMatchObject({
      code: "EXO_APPROVAL_EXPIRED",
    });
    checkStore(rig);
  });

  test("beat-06: intents differ by parameters and tenant, decisions have ids of their own", async () => {
    const rig = await openRig({ rules: [{ id: "all", match: {}, verdict: "allow" }] });
    const same = {
      intentId: "01HZZZZZZZZZZZZZZZZZZZZZZZ",
      correlationId: "c",
      idempotencyKey: "k",
      requestedAt: "2026-01-31T09:00:00.000Z",
    };
    const digests = new Set<unknown>();
    const decisions = new Set<string | undefined>();
    for (const more of [
      {},
      { parameters: { n: 1 } },
      { parameters: { n: 2 } },
      { tenantId: "other" },
      { action: "fs.list" },
    ]) {
      const fresh = await openRig({ rules: [{ id: "all", match: {}, verdict: "allow" }] });
      const { intentId } = await fresh.pipeline.execute(draft("fs.read", "data/orders.csv", { ...same, ...more }));
      digests.add(fresh.pipeline.trace(intentId)[0]?.payload["intentDigest"]);
      decisions.add(
        (await rig.pipeline.execute(draft("fs.read", "data/orders.csv", { ...more }))).decision?.decisionId,
      );
    }
    expect(digests.size).toBe(5);
    expect(decisions.size).toBe(5);
  });

  test("beat-07: the kill switch reads state, and triggers on the very next intent", async () => {
    const rig = await openRig();
    const { intentId } = await executed(rig);
    await rig.pipeline.switchKill(await killOrder(true));
    const denied = await rig.pipeline.execute(draft("fs.read", "data/orders.csv"));
    expect(endOf(denied)).toBe("denied EXO_KILL_SWITCH");
    expect(denied.safety?.stateDigest).not.toBe(rig.pipeline.status(intentId).safety?.stateDigest);
    expect(rig.sandbox.starts).toBe(1);
  });

  test("beat-08: no effect without a durable record before it, and none is reported as denied after it", async () => {
    for (let at = 1; at <= 3; at++) {
      const inner = createMemoryStore();
      const store = new CrashStore(inner);
      const rig = await openRig({ store });
      store.arm(at, "before");
      await expect(rig.pipeline.execute(draft("fs.write", "data/a.csv"))).rejects.toMatchObject({ code: "EXO_STORE" });
      await rig.pipeline.idle();
      expect(rig.disk.done).toHaveLength(at === 3 ? 1 : 0);
      const after = await openRig({ store: inner, seed: "after" });
      const states = checkStore(after).map((record) => record.state);
      expect(states).toEqual(at === 1 ? [] : ["in_doubt"]);
      if (at === 3) expect(intentRecords(inner)[0]?.effects).toHaveLength(1);
    }
  });

  test("beat-09: an idempotency key is checked, not only written down", async () => {
    const rig = await openRig();
    const write = draft("fs.write", "data/a.csv", { idempotencyKey: "k" });
    const ids = (await Promise.all([write, write, write].map((intent) => rig.pipeline.execute(intent)))).map(
      (one) => one.intentId,
    );
    expect(new Set(ids).size).toBe(1);
    expect(rig.disk.done).toHaveLength(1);
    await expect(rig.pipeline.execute(draft("fs.write", "data/b.csv", { idempotencyKey: "k" }))).rejects.toMatchObject({
      code: "EXO_IDEMPOTENCY_CONFLICT",
    });
  });

  test("beat-10: what independent verifiers agree on covers payload, output, transcript and fuel", async () => {
    const rig = await openRig();
    const { bytes } = await executed(rig);
    const honest = verifyBundle(bytes, { trust: rig.trust });
    expect(honest.result).toBe("pass");
    for (const change of [
      ({ statement }: Parts) => Object.assign(statement.predicate.execution?.fuel ?? {}, { used: 1 }),
      ({ statement }: Parts) => Object.assign(statement.predicate.execution?.transcript ?? {}, { size: 0 }),
      ({ statement }: Parts) =>
        Object.assign(statement.predicate.execution ?? {}, { outputDigest: `sha256:${"0".repeat(64)}` }),
      ({ bundle, statement }: Parts) => {
        const payload = statement.predicate.materials.find(({ role }) => role === "event_payload");
        if (payload !== undefined) bundle.materials[payload.digest] = Buffer.from("forged").toString("base64");
      },
    ]) {
      const forged = verifyBundle(await reforge(bytes, change), { trust: rig.trust });
      expect(forged.result).toBe("fail");
    }
    // One node's tampered copy takes nothing from the others.
    expect(verifyBundle(bytes, { trust: rig.trust })).toEqual(honest);
  });

  test("beat-11: removed, repeated, added and cut-off events are noticed; their order of arrival is not a difference", async () => {
    const rig = await openRig();
    const { intentId } = await executed(rig);
    const events = rig.pipeline.trace(intentId);
    const replay = async (list: readonly CanonicalEvent[]): Promise<string> =>
      (await new ReplayEngine({ auditStore: eventAuditSource(list) }).replayCorrelation("c")).result;
    expect(await replay(events)).toBe("success");
    expect(await replay([...events].reverse())).toBe("success");
    for (let index = 0; index < events.length; index++) {
      expect(await replay(events.filter((_, at) => at !== index)), `without ${index}`).not.toBe("success");
    }
    const [first] = events;
    if (first === undefined) throw new Error("no events");
    expect(await replay([...events, { ...first, sequence: events.length }])).not.toBe("success");
    // The tail: the chain's head in the store says how long it is.
    const source = storeAuditSource(rig.store, rig.ledger);
    const cut = {
      chains: (id: string) => source.chains(id).map((chain) => ({ ...chain, events: chain.events.slice(0, -1) })),
    };
    expect((await new ReplayEngine({ auditStore: cut }).replayCorrelation("c")).result).toBe("failure");
  });

  test("beat-12: times come from the clock", async () => {
    const rig = await openRig();
    const first = await executed(rig);
    rig.clock.advance(61_000);
    const second = await executed(rig, "data/orders.csv");
    const timesOf = (intentId: string): number[] =>
      rig.pipeline.trace(intentId).map((event) => Date.parse(event.recordedAt));
    expect(new Set(timesOf(first.intentId))).toEqual(new Set([startMs]));
    expect(new Set(timesOf(second.intentId))).toEqual(new Set([startMs + 61_000]));
    rig.clock.set(startMs - 3_600_000);
    const third = await executed(rig);
    // Within a chain time never goes back, even when the clock does.
    expect(Math.min(...timesOf(third.intentId))).toBe(startMs + 61_000);
    checkStore(rig);
  });

  test("beat-13: one canonical form: however an intent is written, it is one request", async () => {
    const rig = await openRig();
    const text =
      '{"actor":{"id":"a","type":"agent"},"action":"fs.read","idempotencyKey":"k","parameters":{"path":"data/orders.csv","n":1}}';
    const spellings = [
      text,
      '{ "parameters": {"n": 1.0, "path": "data\\/orders.csv"}, "idempotencyKey": "k", "action": "fs.read", "actor": {"type":"agent","id":"a"} }',
      '{"actor":"a","action":"fs.read","idempotencyKey":"\\u006b","parameters":{"n":1e0,"path":"data/orders.csv"}}',
    ];
    const ids = [];
    for (const spelling of spellings)
      ids.push((await rig.pipeline.execute(new TextEncoder().encode(spelling))).intentId);
    ids.push((await rig.pipeline.execute(JSON.parse(text) as never)).intentId);
    expect(new Set(ids).size).toBe(1);
    expect(rig.sandbox.starts).toBe(1);
  });

  test("beat-14: whatever breaks on the way to a start, nothing starts", async () => {
    const broken: readonly [string, (rig: Rig) => unknown][] = [
      [
        "the KILL file cannot be looked at",
        (rig) =>
          Object.defineProperty(rig.governor, "killFile", {
            get: () => {
              throw new Error("EIO");
            },
          }),
      ],
      [
        "the load cannot be measured",
        (rig) =>
          (rig.sandbox.load = () => {
            throw new Error("no load");
          }),
      ],
      ["the inbox cannot be read", (rig) => (rig.governor.takeOrders = () => Promise.reject(new Error("EIO")))],
    ];
    for (const [what, damage] of broken) {
      const rig = await openRig();
      damage(rig);
      await expect(rig.pipeline.execute(draft("fs.read", "data/orders.csv")), what).rejects.toThrow(/EIO|no load/);
      expect(rig.sandbox.starts).toBe(0);
      expect(intentRecords(rig.store)).toEqual([]);
    }
    const missing = await openRig({
      rules: [
        { id: "no-secrets", match: { parameters: { "/label": "secret" } }, verdict: "deny" },
        { id: "all", match: {}, verdict: "allow" },
      ],
    });
    expect(endOf(await missing.pipeline.execute(draft("fs.read", "data/orders.csv")))).toBe("denied EXO_POLICY_ERROR");
    const deferred = await openRig();
    expect(endOf(await deferred.pipeline.execute(draft("fs.list", "data")))).toBe("denied EXO_POLICY_DEFERRED");
  });

  test("beat-16: the same inputs give the same ids and bytes, and another input gives others", async () => {
    const run = async (text: string): Promise<{ ids: string[]; bytes: string }> => {
      const rig = await openRig();
      const done = await rig.pipeline.execute(draft("fs.write", "data/a.csv", { parameters: { text } }));
      if (done.status !== "executed") throw new Error(endOf(done));
      expect(eventTypes(rig, done.intentId).at(-1)).toBe("execution_completed");
      return { ids: [done.intentId, done.correlationId], bytes: Buffer.from(done.bundle.bytes()).toString() };
    };
    const [one, two, three] = [await run("x"), await run("x"), await run("x")];
    expect([two, three]).toEqual([one, one]);
    expect((await run("y")).bytes).not.toBe(one.bytes);
  });
});
