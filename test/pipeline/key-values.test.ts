import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openLmdbStore } from "../../src/stores/lmdb.js";
import { createMemoryStore } from "../../src/stores/memory.js";
import { Ends, FakeSandbox } from "../support/fake-sandbox.js";
import { kvDraft, kvGrants, kvKeys, kvPlugin, kvRig, kvRun, kvScripts, kvState } from "../support/kv.js";
import { checkStore, endOf, openRig } from "../support/rig.js";
import { resolution } from "../support/sign.js";

describe("what a completed run wrote", () => {
  test("is there for the next one, in its own space alone", async () => {
    const rig = await kvRig();
    expect(
      await kvRun(rig, [
        ["put", "a", "1"],
        ["get", "a"],
      ]),
    ).toEqual([
      { done: true, version: 1 },
      { found: true, value: "1", version: 1 },
    ]);
    expect(await kvRun(rig, [["get", "a"]], "kv.read")).toEqual([{ found: true, value: "1", version: 1 }]);
    const nothing = { found: false, value: "", version: 0 };
    expect(await kvRun(rig, [["get", "a"]], "other.read")).toEqual([nothing]);
    expect(await kvRun(rig, [["get", "a"]], "kv.read", { tenantId: "other" })).toEqual([nothing]);
    checkStore(rig);
  });

  test("survives a restart, and versions go on", async () => {
    const store = createMemoryStore();
    await kvRun(await kvRig({ store }), [
      ["put", "a", "1"],
      ["put", "b", "2"],
      ["delete", "a"],
    ]);
    const rig = await kvRig({ store, seed: "second" });
    expect(
      await kvRun(rig, [
        ["list", ""],
        ["put", "a", "3"],
      ]),
    ).toEqual([
      { entries: [{ key: "b", version: 2, size: 1 }], more: false },
      { done: true, version: 3 },
    ]);
    expect(kvState(store)).toEqual([
      ["a", "3", 3],
      ["b", "2", 2],
    ]);
    checkStore(rig);
  });

  test("is on disk, in order, whatever the keys are", async () => {
    const folder = mkdtempSync(join(tmpdir(), "exo-kv-"));
    const keys = ["a", "b".repeat(128), "b".repeat(300), "b".repeat(512), "字".repeat(512), "\u{10000}"];
    const first = await openLmdbStore(folder);
    const rig = await kvRig({ store: first });
    await kvRun(
      rig,
      keys.toReversed().map((key) => ["put", key, key]),
    );
    await rig.ledger.close();
    await first.close();
    const second = await openLmdbStore(folder);
    const again = await kvRig({ store: second, seed: "second" });
    const pages = await kvRun(again, [
      ["list", "", "", 4],
      ["list", "", keys[3] ?? ""],
      ["delete", keys[2] ?? ""],
    ]);
    expect(pages.slice(0, 2)).toMatchObject([
      { entries: keys.slice(0, 4).map((key) => ({ key })), more: true },
      { entries: keys.slice(4).map((key) => ({ key })), more: false },
    ]);
    expect(kvState(second).map(([key, value]) => key === value && key)).toEqual(keys.toSpliced(2, 1));
    checkStore(again);
    await again.ledger.close();
    await second.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("is in the same commit as the outcome", async () => {
    const store = createMemoryStore();
    const commits: string[][] = [];
    const { commit } = store;
    store.commit = async (changes, epoch) => {
      commits.push(changes.map(({ key }) => key));
      await commit.call(store, changes, epoch);
    };
    const rig = await kvRig({ store });
    const before = commits.length;
    await kvRun(rig, [["put", "a", "1"]]);
    const [start = [], end = [], ...rest] = commits.slice(before);
    expect(rest).toEqual([]);
    expect(start.filter((key) => /^[vx]\//.test(key))).toEqual([]);
    expect(end.filter((key) => /^[vx]\//.test(key))).toHaveLength(2);
    expect(end.some((key) => key.startsWith("p/"))).toBe(true);
  });
});

describe("what leaves nothing", () => {
  const ops = [
    ["put", "a", "1"],
    ["put", "b", "2"],
    ["delete", "old"],
  ] as const;

  test.each([
    ["a guest that fails", [...ops, ["fail"]], {}, "failed EXO_GUEST_ERROR"],
    ["a trap", ops, { status: "trapped", error: { code: "EXO_TRAPPED" } }, "failed EXO_TRAPPED"],
    ["a run that was stopped", ops, { status: "timed_out", error: { code: "EXO_TIMED_OUT" } }, "failed EXO_TIMED_OUT"],
    ["a broken host", ops, { status: "host_fault" }, "failed EXO_HOST_FAULT"],
  ])("%s", async (_name, list, end, expected) => {
    const rig = await kvRig();
    await kvRun(rig, [["put", "old", "0"]]);
    const before = kvKeys(rig.store);
    const script = kvScripts()["write"];
    rig.sandbox.scripts["write"] = async (guest) => {
      const output = await script?.(guest);
      if ("status" in end) throw new Ends(end as never);
      return output;
    };
    expect(endOf(await rig.pipeline.execute(kvDraft(list as never)))).toBe(expected);
    expect(kvState(rig.store)).toEqual([["old", "0", 1]]);
    expect(kvKeys(rig.store)).toEqual(before);
    checkStore(rig);
  });

  test("an output that is not of its type", async () => {
    const rig = await kvRig();
    rig.sandbox.scripts["write"] = async (guest) => {
      await guest.call("kv_put", { key: "a", value: new Uint8Array(1) });
      return new TextEncoder().encode("{");
    };
    expect(endOf(await rig.pipeline.execute(kvDraft([])))).toBe("failed EXO_GUEST_ERROR");
    expect(kvKeys(rig.store)).toHaveLength(1);
    expect(kvState(rig.store)).toEqual([]);
  });

  test("a space in which nothing was ever put has no trace at all", async () => {
    const rig = await kvRig();
    expect(endOf(await rig.pipeline.execute(kvDraft([["fail"]])))).toBe("failed EXO_GUEST_ERROR");
    await kvRun(rig, [
      ["delete", "a"],
      ["get", "a"],
    ]);
    expect(kvKeys(rig.store)).toEqual([]);
  });

  test("a run with an effect in doubt, even when it is resolved as committed", async () => {
    const rig = await kvRig();
    rig.disk.onWrite = () => Promise.resolve("unknown");
    const doubt = await rig.pipeline.execute(
      kvDraft([
        ["put", "a", "1"],
        ["write", "data/f"],
        ["put", "b", "2"],
      ]),
    );
    expect(endOf(doubt)).toBe("in_doubt EXO_IN_DOUBT");
    expect(kvState(rig.store)).toEqual([]);
    await rig.pipeline.resolve(await resolution(doubt.intentId, "committed"));
    expect(kvState(rig.store)).toEqual([]);
    rig.disk.onWrite = null;
    // Versions of the run in doubt are not given again.
    expect(await kvRun(rig, [["put", "a", "3"]])).toEqual([{ done: true, version: 3 }]);
    checkStore(rig);
  });

  test("a run whose process died; no version it may have given is given again", async () => {
    const store = createMemoryStore();
    const hanging = new FakeSandbox(kvScripts(() => new Promise(() => undefined)));
    const first = await kvRig({ store, sandbox: hanging });
    void first.pipeline.execute(kvDraft([["put", "a", "1"]])).catch(() => undefined);
    while (hanging.starts === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    const rig = await kvRig({ store, seed: "second" });
    expect(rig.inDoubt).toHaveLength(1);
    expect(kvState(store)).toEqual([]);
    expect(await kvRun(rig, [["put", "a", "2", 0]])).toEqual([{ done: true, version: 1001 }]);
    checkStore(rig);
  });
});

describe("a store that cannot be read", () => {
  test("is an error to the guest, changes nothing, and names its own code", async () => {
    const rig = await kvRig();
    await kvRun(rig, [["put", "a", "1"]]);
    const { store } = rig;
    const { get } = store;
    store.get = (key) => (key.startsWith("v/") ? new Uint8Array(3) : get.call(store, key));
    expect(
      await kvRun(rig, [
        ["get", "a"],
        ["put", "a", "2"],
        ["delete", "a"],
      ]),
    ).toEqual(["EXO_KV_IO", "EXO_KV_IO", "EXO_KV_IO"]);
    store.get = get;
    expect(kvState(store)).toEqual([["a", "1", 1]]);
  });
});

describe("a failed run's versions", () => {
  test("are used up: what somebody learned of them expects nothing", async () => {
    const rig = await kvRig();
    await rig.pipeline.execute(kvDraft([["put", "a", "leaked"], ["fail"]]));
    await kvRun(rig, [["put", "a", "real"]]);
    expect(kvState(rig.store)).toEqual([["a", "real", 2]]);
    expect(await kvRun(rig, [["put", "a", "forged", 1]])).toEqual([{ done: false, version: 2 }]);
    expect(kvState(rig.store)).toEqual([["a", "real", 2]]);
  });
});

describe("the effect a function declares", () => {
  test("read cannot put or delete, none cannot even get", async () => {
    const rig = await kvRig();
    await kvRun(rig, [["put", "a", "1"]]);
    const denied = "EXO_CAPABILITY_DENIED";
    expect(
      await kvRun(
        rig,
        [
          ["put", "a", "2"],
          ["delete", "a"],
          ["get", "a"],
        ],
        "kv.read",
      ),
    ).toEqual([denied, denied, { found: true, value: "1", version: 1 }]);
    expect(
      await kvRun(
        rig,
        [
          ["get", "a"],
          ["list", ""],
          ["put", "a", "2"],
        ],
        "kv.none",
      ),
    ).toEqual([denied, denied, denied]);
    expect(kvState(rig.store)).toEqual([["a", "1", 1]]);
    checkStore(rig);
  });

  test("a manifest that does not ask, and a deployment that does not grant", async () => {
    const rig = await openRig({
      sandbox: new FakeSandbox(kvScripts()),
      plugins: [kvPlugin("kv", (draft) => ({ ...draft, capabilities: [{ name: "kv_get" }] })), kvPlugin("other")],
      grants: { ...kvGrants(["kv"]), other: { kv_get: {} } },
      rules: [{ id: "all", match: {}, verdict: "allow" }],
    });
    const denied = "EXO_CAPABILITY_DENIED";
    expect(
      await kvRun(rig, [
        ["put", "a", "1"],
        ["list", ""],
      ]),
    ).toEqual([denied, denied]);
    expect(
      await kvRun(
        rig,
        [
          ["put", "a", "1"],
          ["get", "a"],
        ],
        "other.write",
      ),
    ).toEqual([denied, denied]);
    expect(kvKeys(rig.store)).toEqual([]);
  });

  test("a policy narrows prefixes and caps, and the answer says so", async () => {
    const rig = await kvRig({
      rules: [
        {
          id: "orders",
          match: {},
          verdict: "allow",
          obligations: {
            narrow: { kv_put: { prefixes: ["orders/"], maxEntries: 1, maxBytes: 3 }, kv_get: { maxBytes: 2 } },
          },
        },
      ],
    });
    expect(
      await kvRun(rig, [
        ["put", "orders", "1"],
        ["put", "orders/1", "1234"],
        ["put", "orders/1", "123"],
        ["put", "orders/2", "1"],
        ["get", "orders/1"],
      ]),
    ).toEqual([
      "EXO_CAPABILITY_DENIED",
      "EXO_CAPABILITY_DENIED",
      { done: true, version: 1 },
      "EXO_KV_FULL",
      "EXO_KV_SIZE",
    ]);
  });
});
