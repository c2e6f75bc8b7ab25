import { describe, expect, it } from "vitest";
import { encodeUtf8 } from "../../src/crypto/encoding.js";
import { auditTree, compareCheckpoint, readLedger } from "../../src/log/audit.js";
import { readCheckpoint, signCheckpoint } from "../../src/log/checkpoint.js";
import { openLedger } from "../../src/log/ledger.js";
import { CHECKPOINT_KEY, LEAVES, leafKey, NODES, nodeKey } from "../../src/log/store-layout.js";
import { appendLeaves, leafHash, verifyConsistency, verifyInclusion } from "../../src/log/tree.js";
import type { Signer, Store, StoreChange } from "../../src/ports.js";
import { createMemoryStore } from "../../src/stores/memory.js";
import { digest, ORIGIN, openOver, otherSigner, signer } from "../log/fixtures.js";

const size = 300;
const middle = 123;

/** A store with a log, whose entries from `fork` on have other digests. */
async function logged(leaves = size, fork = leaves): Promise<Store> {
  const store = createMemoryStore();
  const ledger = await openOver(store);
  await ledger.transact((tx) => {
    for (let at = 0; at < leaves; at += 1) tx.appendLeaf("event", digest(at < fork ? at : `fork ${at}`));
  });
  return store;
}

/** What somebody who holds the disk does: any change, under whatever epoch is there. */
async function tamper(store: Store, changes: readonly StoreChange[]): Promise<void> {
  await store.commit(changes, await store.acquire());
}

const noteOf = (store: Store): string => readLedger(store, ORIGIN).checkpoint;
const open = async (store: Store): Promise<unknown> =>
  await openLedger({ store, epoch: await store.acquire(), origin: ORIGIN, signer });
const damaged = { code: "EXO_STORE_DAMAGED" };

/** The tree of these leaves as the store would keep it, with a checkpoint by whoever signs. */
async function rewritten(leaves: readonly Uint8Array[], by: Signer): Promise<StoreChange[]> {
  const { nodes, root } = appendLeaves({ size: 0, peaks: [] }, leaves.map(leafHash));
  const note = await signCheckpoint({ origin: ORIGIN, size: leaves.length, root }, by);
  return [
    ...leaves.map((value, at) => ({ key: leafKey(at), value })),
    ...nodes
      .filter(({ level }) => level > 0)
      .map(({ level, index, hash }) => ({ key: nodeKey(level, index), value: hash })),
    { key: CHECKPOINT_KEY, value: encodeUtf8(note) },
  ];
}

function leavesOf(store: Store): Uint8Array[] {
  return [...store.range(LEAVES)].map(([, value]) => value);
}

/** The changes that leave nothing of a log, but its other keys. */
function cleared(store: Store): StoreChange[] {
  return [LEAVES, NODES].flatMap((range) => [...store.range(range)].map(([key]) => ({ key, value: null })));
}

describe("tail truncation", () => {
  it("is damage while the checkpoint stays", async () => {
    const store = await logged();
    await tamper(store, [{ key: leafKey(size - 1), value: null }]);
    await expect(open(store)).rejects.toMatchObject(damaged);
    expect(auditTree(store).ok).toBe(false);
  });

  it("to an older state, whole with its own signed checkpoint, is behind what was published", async () => {
    const [store, older] = [await logged(), await logged(200)];
    const published = noteOf(store);
    await tamper(store, [...cleared(store), ...(await rewritten(leavesOf(older), signer))]);
    await open(store);
    expect(auditTree(store).ok).toBe(true);
    expect(noteOf(store)).toBe(noteOf(older));
    expect(compareCheckpoint(store, published)).toBe("behind");
  });
});

describe("a forked log", () => {
  it("is inconsistent with what was published, at every size behind the fork", async () => {
    const [store, fork] = [await logged(), await logged(size, 150)];
    expect(compareCheckpoint(fork, noteOf(store))).toBe("inconsistent");
    expect(compareCheckpoint(fork, noteOf(await logged(151)))).toBe("inconsistent");
    expect(compareCheckpoint(fork, noteOf(await logged(150)))).toBe("consistent");
  });

  it("has no consistency proof from the other branch, whichever log makes it", async () => {
    const [older, fork] = [await logged(200), await logged(size, 150)];
    const [from, to] = [readCheckpoint(noteOf(older)), readCheckpoint(noteOf(fork))];
    const claim = { oldSize: from.size, newSize: to.size, oldRoot: from.root, newRoot: to.root };
    for (const prover of [fork, await logged()]) {
      const proof = readLedger(prover, ORIGIN).consistency(200, size);
      expect(verifyConsistency({ ...claim, proof })).toBe(false);
    }
  });
});

describe("a rewritten middle", () => {
  const forged = (store: Store): Uint8Array[] => {
    const leaves = leavesOf(store);
    leaves[middle] = encodeUtf8(new TextDecoder().decode(leaves[middle]).replace(/sha256:../, "sha256:00"));
    return leaves;
  };

  it("of one entry is found by the audit, and its proof does not verify", async () => {
    const store = await logged();
    const leaf = forged(store)[middle] as Uint8Array;
    await tamper(store, [{ key: leafKey(middle), value: leaf }]);
    expect(auditTree(store)).toMatchObject({ ok: false, size });
    const view = readLedger(store, ORIGIN);
    const claim = { index: middle, size, proof: view.prove(middle), root: view.root };
    expect(verifyInclusion({ ...claim, leaf })).toBe(false);
    // Its neighbour's proof needs its hash.
    expect(verifyInclusion({ ...claim, index: 122, proof: view.prove(122), leaf: view.leaf(122) })).toBe(false);
  });

  it("with every hash above it made anew is not under the checkpoint any more", async () => {
    const store = await logged();
    const changes = (await rewritten(forged(store), signer)).filter(({ key }) => key !== CHECKPOINT_KEY);
    await tamper(store, changes);
    await expect(open(store)).rejects.toMatchObject(damaged);
    expect(auditTree(store).ok).toBe(false);
  });

  it("under a checkpoint by another key is not this log's", async () => {
    const store = await logged();
    await tamper(store, await rewritten(forged(store), otherSigner));
    await expect(open(store)).rejects.toMatchObject(damaged);
  });

  it("by somebody who has the log's key is a fork of what was published", async () => {
    const store = await logged();
    const [published, early] = [noteOf(store), noteOf(await logged(middle))];
    await tamper(store, await rewritten(forged(store), signer));
    await open(store);
    expect(auditTree(store).ok).toBe(true);
    expect(compareCheckpoint(store, published)).toBe("inconsistent");
    expect(compareCheckpoint(store, early)).toBe("consistent");
  });
});
