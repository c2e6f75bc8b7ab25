import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Store } from "../../src/ports.js";
import { openLmdbStore } from "../../src/stores/lmdb.js";
import { FakeSandbox, guestError } from "../support/fake-sandbox.js";
import { kvDraft, kvPlugin, kvRig, kvScripts, kvState, type Op } from "../support/kv.js";
import { checkStore, draft, endOf, fsPlugin, openRig, type Rig } from "../support/rig.js";
import { resolution } from "../support/sign.js";

const keyed = async (): Promise<Rig> => openRig({ plugins: [fsPlugin({ effectKey: ["/path"] })] });
const write = (rig: Rig, path = "data/a.csv", more = {}) => rig.pipeline.execute(draft("fs.write", path, more));
const held = "denied EXO_EFFECT_KEY_HELD";

describe("effect keys", () => {
  test("held while in flight", async () => {
    const rig = await keyed();
    let release = (): void => undefined;
    rig.disk.onWrite = () => new Promise((resolve) => (release = () => resolve("error")));
    const first = write(rig);
    while (rig.sandbox.starts === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    const second = await write(rig);
    expect(endOf(second)).toBe(held);
    if (second.status === "denied") expect(second.reason.message).toMatch(/in_flight/);
    release();
    expect(endOf(await first)).toBe("failed EXO_GUEST_ERROR");
    // The write was certainly not performed, so the key is free again.
    rig.disk.onWrite = null;
    expect(endOf(await write(rig))).toBe("executed");
    checkStore(rig);
  });

  test("two in one group: one starts", async () => {
    const rig = await keyed();
    const ends = (await Promise.all([write(rig), write(rig)])).map(endOf);
    expect(ends.sort()).toEqual([held, "executed"].sort());
    expect(rig.disk.done).toEqual(["fs_write data/a.csv"]);
  });

  test("held once committed, across tenants' own keys and for this parameter alone", async () => {
    const rig = await openRig({
      plugins: [fsPlugin({ effectKey: ["/path"] })],
      rules: [{ id: "all", match: { action: "fs.write" }, verdict: "allow" }],
    });
    expect(endOf(await write(rig))).toBe("executed");
    expect(endOf(await write(rig))).toBe(held);
    expect(endOf(await write(rig, "data/a.csv", { parameters: { text: "another content" } }))).toBe(held);
    expect(endOf(await write(rig, "data/b.csv"))).toBe("executed");
    expect(endOf(await write(rig, "data/a.csv", { tenantId: "other" }))).toBe("executed");
  });

  test("held by a failed guest that had written", async () => {
    const rig = await keyed();
    rig.sandbox.scripts["write"] = async (guest) => {
      await guest.call("fs_write", { path: "data/a.csv", bytes: new Uint8Array(1), mode: "create" });
      throw guestError("after the write");
    };
    const failed = await write(rig);
    expect(endOf(failed)).toBe("failed EXO_GUEST_ERROR");
    if (failed.status === "failed") expect(failed.reason.retrySafe).toBe(false);
    expect(endOf(await write(rig))).toBe(held);
    checkStore(rig);
  });

  test("free after a guest that failed before it wrote, and after one that wrote nothing", async () => {
    const rig = await keyed();
    rig.sandbox.scripts["write"] = () => Promise.reject(guestError("before the write"));
    const failed = await write(rig);
    if (failed.status === "failed") expect(failed.reason.retrySafe).toBe(true);
    rig.sandbox.scripts["write"] = () => Promise.resolve({ nothing: true });
    expect(endOf(await write(rig))).toBe("executed");
    expect(endOf(await write(rig))).toBe("executed");
  });

  test.each([
    ["unknown", held],
    ["committed", held],
    ["not_executed", "executed"],
  ] as const)("in doubt holds; resolved as %s: %s", async (outcome, then) => {
    const rig = await keyed();
    rig.disk.onWrite = () => Promise.resolve("unknown");
    const doubt = await write(rig);
    expect(endOf(doubt)).toBe("in_doubt EXO_IN_DOUBT");
    rig.disk.onWrite = null;
    expect(endOf(await write(rig))).toBe(held);
    await rig.pipeline.resolve(await resolution(doubt.intentId, outcome));
    expect(endOf(await write(rig))).toBe(then);
    checkStore(rig);
  });

  test("a key whose parameter is missing is a denial, before anything starts", async () => {
    const rig = await openRig({ plugins: [fsPlugin({ effectKey: ["/path", "/ticket"] })] });
    expect(endOf(await write(rig))).toBe("denied EXO_PARAMETERS");
    expect(rig.sandbox.starts).toBe(0);
    expect(endOf(await write(rig, "data/a.csv", { parameters: { ticket: null } }))).toBe("executed");
    expect(endOf(await write(rig, "data/a.csv", { parameters: { ticket: "null" } }))).toBe("executed");
    checkStore(rig);
  });

  test("a denied intent takes no key", async () => {
    const rig = await keyed();
    rig.governor.killFile = true;
    expect(endOf(await write(rig))).toBe("denied EXO_KILL_SWITCH");
    rig.governor.killFile = false;
    expect(endOf(await write(rig))).toBe("executed");
  });
});

describe("effect keys of another intent, another actor, another process", () => {
  const folder = mkdtempSync(join(tmpdir(), "exo-effect-keys-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  let stores = 0;
  /** A store on disk that can be closed and opened again. */
  const onDisk = (): { open(): Promise<Store> } => {
    const path = join(folder, String(stores++));
    return { open: () => openLmdbStore(path) };
  };
  const keyedOn = async (store: Store, seed: string, more = {}): Promise<Rig> =>
    await openRig({ store, seed, plugins: [fsPlugin({ effectKey: ["/path"] })], ...more });

  test("neither another actor nor another idempotency key nor another text of the request gets past it", async () => {
    const rig = await keyed();
    expect(endOf(await write(rig, "data/a.csv", { idempotencyKey: "one" }))).toBe("executed");
    expect(endOf(await write(rig, "data/a.csv", { idempotencyKey: "two" }))).toBe(held);
    expect(endOf(await write(rig, "data/a.csv", { actor: { id: "somebody-else", type: "agent" } }))).toBe(held);
    expect(endOf(await write(rig, "data/a.csv", { context: { reason: "again" } }))).toBe(held);
    expect(rig.disk.done).toEqual(["fs_write data/a.csv"]);
    // The same request is told of its own run.
    const again = await write(rig, "data/a.csv", { idempotencyKey: "one" });
    expect(again.status).toBe("executed");
    checkStore(rig);
  });

  test("committed before a restart: held after it, and again after the next", async () => {
    const disk = onDisk();
    for (const [turn, expected] of ["executed", held, held].entries()) {
      const store = await disk.open();
      const rig = await keyedOn(store, `turn ${turn}`);
      expect(endOf(await write(rig))).toBe(expected);
      checkStore(rig);
      await rig.ledger.close();
      await store.close();
    }
  });

  test.each([
    ["not_executed", "executed"],
    ["committed", held],
    ["unknown", held],
  ] as const)("in flight when the process died: held as in doubt, and resolved as %s: %s", async (outcome, then) => {
    const disk = onDisk();
    const first = await disk.open();
    const hanging = new FakeSandbox({ write: () => new Promise(() => undefined) });
    void write(await keyedOn(first, "first", { sandbox: hanging })).catch(() => undefined);
    while (hanging.starts === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    await first.close();
    const second = await disk.open();
    const rig = await keyedOn(second, "second");
    expect(rig.inDoubt).toHaveLength(1);
    expect(endOf(await write(rig))).toBe(held);
    await rig.pipeline.resolve(await resolution(rig.inDoubt[0] ?? "", outcome));
    await rig.ledger.close();
    await second.close();
    const third = await disk.open();
    const last = await keyedOn(third, "third");
    expect(endOf(await write(last))).toBe(then);
    checkStore(last);
    await last.ledger.close();
    await third.close();
  });

  test("a failure without an effect before a restart: free after it", async () => {
    const disk = onDisk();
    const first = await disk.open();
    const rig = await keyedOn(first, "first");
    rig.disk.onWrite = () => Promise.resolve("error");
    expect(endOf(await write(rig))).toBe("failed EXO_GUEST_ERROR");
    await rig.ledger.close();
    await first.close();
    const second = await disk.open();
    const last = await keyedOn(second, "second");
    expect(endOf(await write(last))).toBe("executed");
    await last.ledger.close();
    await second.close();
  });
});

describe("keys and values as the effect of a run", () => {
  const kvKeyed = async (): Promise<Rig> =>
    await kvRig({
      plugins: [
        kvPlugin("kv", (draft) => ({
          ...draft,
          functions: draft.functions.map((fn) => (fn.effects === "write" ? { ...fn, effectKey: ["/path"] } : fn)),
        })),
      ],
    });
  const act = (rig: Rig, ops: readonly Op[], more = {}) => rig.pipeline.execute(kvDraft(ops, "kv.write", more));
  const put = [["put", "a", "1"]] as const;

  test("a completed run that put or deleted holds its key; another tenant's is free", async () => {
    for (const ops of [
      put,
      [
        ["put", "b", "1"],
        ["delete", "b"],
      ],
    ] as const) {
      const rig = await kvKeyed();
      expect(endOf(await act(rig, ops))).toBe("executed");
      expect(endOf(await act(rig, put))).toBe(held);
      expect(endOf(await act(rig, put, { tenantId: "other" }))).toBe("executed");
      checkStore(rig);
    }
  });

  test.each<[string, readonly Op[], string]>([
    [
      "that changed nothing",
      [
        ["get", "a"],
        ["delete", "a"],
        ["put", "a", "1", 7],
      ],
      "executed",
    ],
    ["that failed after it had put", [["put", "a", "1"], ["fail"]], "failed EXO_GUEST_ERROR"],
  ])("a run %s frees it", async (_name, ops, end) => {
    const rig = await kvKeyed();
    expect(endOf(await act(rig, ops))).toBe(end);
    expect(kvState(rig.store)).toEqual([]);
    expect(endOf(await act(rig, put))).toBe("executed");
    checkStore(rig);
  });

  test("a failed run that only put may be retried, one that wrote outside may not", async () => {
    const rig = await kvKeyed();
    const failed = await act(rig, [["put", "a", "1"], ["fail"]]);
    expect(failed.status === "failed" && failed.reason.retrySafe).toBe(true);
    const wrote = await act(rig, [["write", "data/f"], ["fail"]]);
    expect(wrote.status === "failed" && wrote.reason.retrySafe).toBe(false);
    expect(endOf(await act(rig, put))).toBe(held);
  });

  test("held in flight: the second is denied at once when its turn comes", async () => {
    const rig = await kvKeyed();
    const gates: (() => void)[] = [];
    rig.sandbox.scripts["write"] = kvScripts(() => new Promise((resolve) => gates.push(resolve)))["write"] as never;
    const both = [act(rig, put), act(rig, put)];
    while (gates.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    gates[0]?.();
    expect((await Promise.all(both)).map(endOf)).toEqual(["executed", held]);
    expect(rig.sandbox.starts).toBe(1);
  });
});
