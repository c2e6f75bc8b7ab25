import { describe, expect, it } from "vitest";
import { encodeUtf8 } from "../../src/crypto/encoding.js";
import { readCheckpoint, signCheckpoint } from "../../src/log/checkpoint.js";
import { leafBytes } from "../../src/log/leaf.js";
import { CHECKPOINT_KEY, indexOfKey, LEAVES, leafKey } from "../../src/log/store-layout.js";
import { leafHash, nodeHash, rootFromNodes, verifyConsistency, verifyInclusion } from "../../src/log/tree.js";
import type { Store } from "../../src/ports.js";
import { createMemoryStore } from "../../src/stores/memory.js";
import { digest, ORIGIN, openOver, signer } from "./fixtures.js";

/* A log of more entries than 32 bits count, opened and appended to: its old part is one leaf again and again. */

const old = leafBytes("event", digest("again"));
const levels: Uint8Array[] = [leafHash(old)];
function hashOf(level: number): Uint8Array {
  for (let below = levels.at(-1); below !== undefined && levels.length <= level; below = levels.at(-1)) {
    levels.push(nodeHash(below, below));
  }
  return levels[level] ?? expect.fail(`no level ${level}`);
}

/** What a disk with `size` old entries would hold, without the disk; what is written goes on top. */
async function storeOf(size: number): Promise<Store> {
  const written = createMemoryStore();
  const root = rootFromNodes(size, hashOf);
  const note = encodeUtf8(await signCheckpoint({ origin: ORIGIN, size, root }, signer));
  await written.commit([{ key: CHECKPOINT_KEY, value: note }], await written.acquire());
  const stored = (key: string): Uint8Array | undefined => {
    const index = indexOfKey(key) ?? Number.NaN;
    if (key.startsWith("l/")) return index < size ? old : undefined;
    const level = Number(key.slice(2, 4));
    return key.startsWith("t/") && (index + 1) * 2 ** level <= size ? hashOf(level) : undefined;
  };
  return {
    get: (key) => written.get(key) ?? stored(key),
    *range(range) {
      const own = [...written.range(range)];
      if (own.length > 0) yield* own;
      else if (range.gte === LEAVES.gte && range.reverse) yield [leafKey(size - 1), old];
    },
    acquire: () => written.acquire(),
    commit: (changes, epoch) => written.commit(changes, epoch),
    close: () => written.close(),
  };
}

describe("a log beyond 32 bits", () => {
  it.each([2 ** 31 - 2, 2 ** 31, 2 ** 32 - 1, 2 ** 32 + 12_345, 2 ** 48 + 5, 2 ** 53 - 9])(
    "of %d entries is opened, appended to, proven and opened again",
    async (size) => {
      const store = await storeOf(size);
      const before = readCheckpoint(store.get(CHECKPOINT_KEY) ?? expect.fail("no checkpoint"));
      const ledger = await openOver(store);
      const places = await ledger.transact((tx) => [1, 2, 3, 4, 5].map((n) => tx.appendLeaf("event", digest(n))));
      expect(places).toEqual([0, 1, 2, 3, 4].map((n) => size + n));
      const after = readCheckpoint(ledger.checkpoint());
      expect(after.size).toBe(size + 5);
      const again = await openOver(store);
      expect([again.size, again.checkpoint()]).toEqual([size + 5, ledger.checkpoint()]);
      for (const index of [0, 2 ** 31 - 3, size - 1, ...places]) {
        const claim = { ...after, index, leaf: again.leaf(index), proof: again.prove(index) };
        expect(verifyInclusion(claim)).toBe(true);
        // What a cut at 32 bits would give.
        for (const other of [index + 1, index - 1, index % 2 ** 32, index | 0].filter((at) => at !== index)) {
          if (index >= size) expect(verifyInclusion({ ...claim, index: other })).toBe(false);
        }
      }
      const claim = { oldSize: size, newSize: size + 5, oldRoot: before.root, newRoot: after.root };
      const proof = again.consistency(size, size + 5);
      expect(verifyConsistency({ ...claim, proof })).toBe(true);
      expect(verifyConsistency({ ...claim, oldSize: size - 1, proof })).toBe(false);
      expect(verifyConsistency({ ...claim, oldSize: (size + 2 ** 31) % 2 ** 32, proof })).toBe(false);
    },
  );

  it("takes no entry beyond 2^53-1, and stays as it was", async () => {
    const store = await storeOf(2 ** 53 - 2);
    const ledger = await openOver(store);
    const note = ledger.checkpoint();
    const two = ledger.transact((tx) => [1, 2].map((n) => tx.appendLeaf("event", digest(n))));
    await expect(two).rejects.toMatchObject({ code: "EXO_LOG_RANGE" });
    expect([ledger.size, ledger.checkpoint()]).toEqual([2 ** 53 - 2, note]);
    expect(await ledger.transact((tx) => tx.appendLeaf("event", digest(1)))).toBe(2 ** 53 - 2);
  });
});
