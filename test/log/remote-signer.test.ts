import { beforeEach, describe, expect, it } from "vitest";
import { auditTree } from "../../src/log/audit.js";
import { openCheckpoint } from "../../src/log/checkpoint.js";
import { type Ledger, openLedger } from "../../src/log/ledger.js";
import type { LedgerTx } from "../../src/log/ledger-types.js";
import { verifyConsistency } from "../../src/log/tree.js";
import type { Store } from "../../src/ports.js";
import { createMemoryStore } from "../../src/stores/memory.js";
import { RemoteSigner } from "../support/remote-signer.js";
import { digest, ORIGIN, signer, text, untext, VKEY } from "./fixtures.js";

let store: Store;
let remote: RemoteSigner;
let ledger: Ledger;

const open = async (): Promise<Ledger> =>
  await openLedger({
    store,
    epoch: await store.acquire(),
    origin: ORIGIN,
    signer: remote,
    limits: { groupOperations: 4 },
  });

beforeEach(async () => {
  store = createMemoryStore();
  remote = new RemoteSigner(signer);
  ledger = await open();
});

const append =
  (name: string) =>
  (tx: LedgerTx): number => {
    tx.put(`test/${name}`, text(name));
    return tx.appendLeaf("event", digest(name));
  };
const appendAll = (names: readonly string[]): Promise<PromiseSettledResult<number>[]> =>
  Promise.allSettled(names.map((name) => ledger.transact(append(name))));
const stored = (): string[] => [...store.range({ gte: "test/", lt: "test0" })].map(([key]) => key.slice(5));
const names = (count: number): string[] => [...Array(count).keys()].map((at) => String.fromCharCode(97 + at));

function expectWhole(size: number): void {
  expect(auditTree(store)).toMatchObject({ ok: true });
  expect(openCheckpoint(ledger.checkpoint(), [VKEY]).size).toBe(size);
  expect(untext(store.get("m/checkpoint"))).toBe(ledger.checkpoint());
  expect(ledger.size).toBe(size);
}

describe("a log whose signer is elsewhere", () => {
  it("keeps order and loses nothing while the signer is slow, one signature for a group", async () => {
    remote.turns = 20;
    const given = remote.given;
    const ended = await appendAll(names(10));
    expect(ended.map((one) => one.status === "fulfilled" && one.value)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(remote.given - given).toBe(3);
    expectWhole(10);
  });

  it("a group whose checkpoint is not signed leaves nothing; the groups after it take its places", async () => {
    await appendAll(["first"]);
    const before = ledger.checkpoint();
    const root = openCheckpoint(before, [VKEY]).root;
    remote.sparing = 1;
    remote.failing = 1;
    const ended = await appendAll(names(10));
    expect(ended.map(({ status }) => status === "fulfilled")).toEqual([
      true,
      true,
      true,
      true,
      false,
      false,
      false,
      false,
      true,
      true,
    ]);
    for (const one of ended.slice(4, 8)) expect(one).toMatchObject({ reason: { code: "EXO_SIGNER" } });
    expect(ended.slice(8)).toMatchObject([{ value: 5 }, { value: 6 }]);
    expect(stored()).toEqual(["a", "b", "c", "d", "first", "i", "j"]);
    expectWhole(7);
    const now = openCheckpoint(ledger.checkpoint(), [VKEY]);
    const proof = ledger.consistency(1, 7);
    expect(verifyConsistency({ oldSize: 1, newSize: 7, oldRoot: root, newRoot: now.root, proof })).toBe(true);
    // Whoever was refused may come again.
    expect(await ledger.transact(append("e"))).toBe(7);
  });

  it("nothing is told to anybody of a group that is not signed", async () => {
    let told = 0;
    remote.failing = 1;
    const ended = await Promise.allSettled([
      ledger.transact((tx) => {
        tx.appendLeaf("event", digest("x"));
        tx.onSealed(() => told++);
      }),
    ]);
    expect(ended).toMatchObject([{ status: "rejected", reason: { code: "EXO_SIGNER" } }]);
    expect([told, ledger.size]).toEqual([0, 0]);
  });

  it("an operation that waits for a signature and is refused does not touch the others of its group", async () => {
    const inside = new RemoteSigner(signer);
    inside.sparing = 1;
    inside.failing = 1;
    const signing = (name: string) => async (tx: LedgerTx) => {
      const index = append(name)(tx);
      await inside.sign(text(name));
      return index;
    };
    const ended = await Promise.allSettled(["a", "b", "c"].map((name) => ledger.transact(signing(name))));
    expect(ended).toMatchObject([{ value: 0 }, { reason: { code: "EXO_SIGNER" } }, { value: 1 }]);
    expect(stored()).toEqual(["a", "c"]);
    expectWhole(2);
  });

  it("a signer that cannot sign the empty tree leaves a store that can be opened later", async () => {
    store = createMemoryStore();
    remote.failing = 1;
    await expect(open()).rejects.toMatchObject({ code: "EXO_SIGNER" });
    expect([...store.range({ gte: "m/", lt: "m0" })].filter(([key]) => key === "m/checkpoint")).toEqual([]);
    ledger = await open();
    expectWhole(0);
  });

  it("a close waits for the signature that is under way", async () => {
    remote.turns = 50;
    const appended = ledger.transact(append("a"));
    await ledger.close();
    expect(await appended).toBe(0);
    expectWhole(1);
  });
});
