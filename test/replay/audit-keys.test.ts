import { beforeAll, describe, expect, it, vi } from "vitest";
import { kvFamilies, placeOf, spaceOf } from "../../src/capabilities/kv/places.js";
import { KeyValueView, packEntry } from "../../src/capabilities/kv/view.js";
import { encodeUtf8 } from "../../src/crypto/encoding.js";
import { readState } from "../../src/pipeline/documents.js";
import type { StoreReader } from "../../src/ports.js";
import { auditStore, type LogAudit } from "../../src/replay/audit-log.js";
import { createMemoryStore } from "../../src/stores/memory.js";
import { FakeSandbox } from "../support/fake-sandbox.js";
import { kvDraft, kvKeys, kvRig, kvRun, kvScripts } from "../support/kv.js";
import type { Rig } from "../support/rig.js";
import { resolution } from "../support/sign.js";
import { origin } from "../support/world.js";
import { TamperedStore } from "./support.js";

const long = "x".repeat(300);
const space = spaceOf("default", "kv");
const at = (key: string) => placeOf(space, encodeUtf8(key));

let rig: Rig;

/** Everything a space can meet: puts, deletes, lost ones, failures, doubt, a crash, two executors, two tenants. */
beforeAll(async () => {
  const store = createMemoryStore();
  const first = await kvRig({ store });
  await kvRun(first, [
    ["put", "a", "1"],
    ["put", "gone", "2"],
    ["put", long, "3"],
    ["put", "a", "x", 77],
  ]);
  await kvRun(first, [["put", "a", "other"]], "other.write");
  await kvRun(first, [["put", "a", "tenant"]], "kv.write", { tenantId: "other" });
  await first.pipeline.execute(kvDraft([["put", "a", "lost"], ["fail"]]));
  await kvRun(first, [
    ["delete", "gone"],
    ["put", "a", "4"],
    ["delete", "none"],
    ["get", "a"],
  ]);
  first.disk.onWrite = () => Promise.resolve("unknown");
  const doubt = await first.pipeline.execute(
    kvDraft([
      ["put", "a", "doubt"],
      ["write", "data/f"],
    ]),
  );
  await first.pipeline.resolve(await resolution(doubt.intentId, "committed"));
  const hanging = await kvRig({
    store,
    seed: "second",
    sandbox: new FakeSandbox(kvScripts(() => new Promise(() => undefined))),
  });
  void hanging.pipeline.execute(kvDraft([["put", "a", "crashed"]])).catch(() => undefined);
  while (hanging.sandbox.starts === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  rig = await kvRig({ store, seed: "third" });
  await kvRun(rig, [
    ["put", "b", "5"],
    ["list", ""],
  ]);
});

const audit = (store: StoreReader): LogAudit =>
  auditStore(store, { origin, vkey: rig.trust.logs[0]?.vkey ?? "", trust: rig.trust });

/** What the check says of a store. */
function said(store: StoreReader): string {
  const check = audit(store).checks.find(({ id }) => id === "keys");
  return `${check?.state} ${check?.code ?? ""} ${check?.message}`;
}

const tampered = (): TamperedStore => new TamperedStore(rig.store);

describe("keys and values as completed runs left them", () => {
  it("pass", () => {
    expect(said(rig.store)).toBe("pass  5 keys of 3 executors");
    expect(audit(rig.store).checks.filter(({ state }) => state !== "pass")).toEqual([]);
    expect(said(tampered())).toBe("pass  5 keys of 3 executors");
  });

  it("pass while a run is under way, which has set versions aside", async () => {
    const busy = await kvRig({ sandbox: new FakeSandbox(kvScripts(() => new Promise(() => undefined))) });
    void busy.pipeline.execute(kvDraft([["put", "a", "1"]]));
    while (busy.sandbox.starts === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(said(busy.store)).toBe("pass  0 keys of 1 executors");
  });
});

describe("keys and values changed behind everybody's back", () => {
  const head = kvFamilies.head(space);
  const change = (member: string, value: unknown) => (store: TamperedStore) =>
    store.put(head, encodeUtf8(JSON.stringify({ ...readState<object>(store, head), [member]: value })));
  const cases: readonly [string, (store: TamperedStore) => void, RegExp][] = [
    [
      "a value altered",
      (store) => store.flip(at("a").value, 0),
      /the value of the key "a" of executor kv in tenant default is not as/,
    ],
    ["a value gone", (store) => store.put(at("a").value, null), /the value of the key "a" .* is missing$/],
    [
      "a version altered",
      (store) => store.flip(at("a").entry, 7),
      /the key "a" .* is not as the last completed run left it/,
    ],
    ["a size altered", (store) => store.flip(at("a").entry, 11), /the key "a" .* is not as/],
    ["an entry gone", (store) => store.put(at("a").entry, null), /the key "a" .* is missing$/],
    [
      "a directory gone",
      (store) => store.put(at(long).directories[0]?.marker ?? "", null),
      /a directory above the key "x+ .* is missing/,
    ],
    [
      "a deleted key back",
      (store) => store.put(at("gone").entry, packEntry({ version: 2, size: 1 })),
      /no completed run left v\//,
    ],
    ["a value of no key", (store) => store.put(at("gone").value, encodeUtf8("2")), /no completed run left x\//],
    [
      "an older value of the same size",
      (store) => store.put(at("a").value, encodeUtf8("1")),
      /the value of the key "a"/,
    ],
    [
      "an entry of a space nobody has",
      (store) => store.put(`v/${"0".repeat(64)}/x`, encodeUtf8("x")),
      /no run could have written v\/0{64}\/x$/,
    ],
    [
      "an entry beside every space",
      (store) => store.put(`v/${space}9`, encodeUtf8("x")),
      /no run could have written v\/[0-9a-f]{64}9$/,
    ],
    [
      "a head of a space nobody has",
      (store) => store.put(`w/${"f".repeat(64)}`, encodeUtf8("{}")),
      /no run could have written w\/f{64}$/,
    ],
    [
      "something behind a head",
      (store) => store.put(`${head}/x`, encodeUtf8("{}")),
      /no run could have written w\/[0-9a-f]{64}\/x$/,
    ],
    [
      "a value of a space nobody has",
      (store) => store.put("x/short", encodeUtf8("x")),
      /no run could have written x\/short$/,
    ],
    [
      "the head gone",
      (store) => store.put(head, null),
      /the head of executor kv in tenant default says version 0, the log 1007/,
    ],
    ["a counter set back", change("version", 3), /says version 3, the log 1007/],
    ["a count of keys", change("entries", 1), /says entries 1, the log 3/],
    ["a count of bytes", change("bytes", 0), /says bytes 0, the log 305/],
    ["another owner", change("tenantId", "other"), /says tenantId other, the log default/],
  ];

  it.each(cases)("%s", (_name, tamper, expected) => {
    const store = tampered();
    tamper(store);
    const report = audit(store);
    const check = report.checks.find(({ id }) => id === "keys");
    expect(check).toMatchObject({ state: "fail", code: "EXO_STORE_DAMAGED", message: expect.stringMatching(expected) });
    expect(report.result).toBe("fail");
  });

  it("two spaces exchanged", () => {
    const store = tampered();
    const other = spaceOf("default", "other");
    for (const key of kvKeys(rig.store)) store.put(key, null);
    for (const key of kvKeys(rig.store)) {
      const swapped = key.includes(space) ? key.replace(space, other) : key.replace(other, space);
      store.put(swapped, rig.store.get(key) ?? null);
    }
    expect(said(store)).toMatch(/^fail /);
  });
});

describe("a runtime that answered what was not so", () => {
  it.each([
    ["put", { done: true, version: 7 }, [["put", "a", "1"]], "call 0: was done at version 7, not done at version 1"],
    ["put", { done: true, version: 1 }, [["put", "a", "1", 5]], "call 0: was done at version 1, not lost at version 0"],
    ["delete", { done: false, version: 3 }, [["delete", "a"]], "call 0: was lost at version 3, not done at version 0"],
  ] as const)("%s %j is found, though every signature is right", async (method, answer, ops, expected) => {
    const lying = await kvRig();
    const spy = vi.spyOn(KeyValueView.prototype, method).mockReturnValue(answer);
    const { intentId } = await lying.pipeline.execute(kvDraft(ops));
    spy.mockRestore();
    expect(said(lying.store)).toContain(`intent ${intentId} ${expected}`);
  });
});

describe("what is known of writes in doubt", () => {
  it("is listed for a run whose write had no definite answer: what, where, when, what came of it, how to close it", async () => {
    const one = await kvRig();
    let answers = 0;
    one.disk.onWrite = () => Promise.resolve(answers++ === 0 ? "ok" : "unknown");
    const ops = [
      ["write", "data/f"],
      ["write", "data/g"],
      ["put", "a", "secret content"],
    ] as const;
    const { intentId } = await one.pipeline.execute(kvDraft(ops));
    const [open, ...rest] = audit(one.store).open;
    expect(rest).toEqual([]);
    const effects = one.pipeline.trace(intentId).filter(({ eventType }) => eventType === "effect_started");
    expect(open).toEqual({
      intentId,
      state: "in_doubt",
      run: {
        tenantId: "default",
        action: "kv.write",
        executor: "kv",
        target: "data/x",
        startedAt: "2026-01-31T09:00:00.000Z",
        cause: "completed",
        effects: effects.map(({ payload, recordedAt }, index) => ({
          seq: index,
          capability: "fs_write",
          effectId: payload["effectId"],
          requestDigest: payload["requestDigest"],
          startedAt: recordedAt,
          says: { path: index === 0 ? "data/f" : "data/g", mode: "replace" },
          outcome: index === 0 ? "ok" : "unknown",
        })),
        resolve: `exoarmur resolve ${intentId} --outcome committed|not_executed|unknown --evidence FILE`,
      },
    });
    expect(JSON.stringify(open)).not.toContain("secret content");
    await one.pipeline.resolve(await resolution(intentId, "committed"));
    expect(audit(one.store).open).toEqual([]);
  });

  it("is listed for a run whose process died: the journal's record, and that no outcome is known", async () => {
    const store = createMemoryStore();
    const first = await kvRig({ store });
    first.disk.onWrite = () => new Promise(() => undefined);
    void first.pipeline.execute(kvDraft([["write", "data/f"]])).catch(() => undefined);
    const journaled = (): boolean => audit(store).open[0]?.run?.effects.length === 1;
    while (!journaled()) await new Promise((resolve) => setTimeout(resolve, 2));
    expect(audit(store).open[0]).toMatchObject({ state: "started", run: { cause: null, resolve: null } });
    await kvRig({ store, seed: "second" });
    expect(audit(store).open[0]).toMatchObject({
      state: "in_doubt",
      run: { cause: "interrupted", effects: [{ capability: "fs_write", says: null, outcome: null }] },
    });
  });

  it("is left out where it cannot be read, and the checks say why", async () => {
    const one = await kvRig();
    one.disk.onWrite = () => Promise.resolve("unknown");
    const { intentId } = await one.pipeline.execute(kvDraft([["write", "data/f"]]));
    const store = new TamperedStore(one.store);
    for (const key of store.keys("b/")) store.flip(key, -1);
    const report = auditStore(store, { origin, vkey: rig.trust.logs[0]?.vkey ?? "", trust: rig.trust });
    expect(report.result).toBe("fail");
    expect(report.open).toEqual([{ intentId, state: "in_doubt" }]);
  });
});
