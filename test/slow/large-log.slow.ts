import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { PolicyDocument } from "../../src/contracts/policy.js";
import { createRuntime } from "../../src/index.js";
import { auditTree } from "../../src/log/audit.js";
import { readCheckpoint } from "../../src/log/checkpoint.js";
import { type Ledger, openLedger } from "../../src/log/ledger.js";
import { nodeReader } from "../../src/log/store-layout.js";
import { rootFromNodes, verifyConsistency, verifyInclusion } from "../../src/log/tree.js";
import { openLmdbStore } from "../../src/stores/lmdb.js";
import { digest } from "../log/fixtures.js";
import { collected } from "../support/collected.js";
import { CountingStore } from "../support/counting-store.js";
import { keys } from "../support/world.js";

/*
 * A log of 100,000 entries beside one of 1,000. What each costs is counted at the store's port: a clock would tell of the
 * machine. `npm run bench` has the times.
 */

const origin = `exoarmur/local/${keys.log.keyId.slice(0, 16)}`;
const few = 1000;
const many = 100_000;
/** Levels of the largest tree here. */
const levels = Math.ceil(Math.log2(many + 2000));

type Log = { readonly path: string; readonly store: CountingStore; readonly ledger: Ledger };

const folder = mkdtempSync(join(tmpdir(), "exo-large-"));
let small: Log;
let large: Log;
let grown: number;

async function openLog(path: string): Promise<Log> {
  const store = new CountingStore(await openLmdbStore(path));
  const ledger = await openLedger({ store, epoch: await store.acquire(), origin, signer: keys.log });
  return { path, store, ledger };
}

async function closeLog({ ledger, store }: Log): Promise<void> {
  await ledger.close();
  await store.close();
}

async function fillTo(ledger: Ledger, size: number): Promise<void> {
  while (ledger.size < size) {
    await ledger.transact((tx) => {
      for (let left = Math.min(size - tx.size, 1000); left > 0; left -= 1) tx.appendLeaf("event", digest(tx.size));
    });
  }
}

/** A runtime starts on the store of a log and ends; closes the store. */
async function startOn({ path }: Log): Promise<Awaited<ReturnType<CountingStore["during"]>>> {
  const store = new CountingStore(await openLmdbStore(path));
  const policy: PolicyDocument = { schema: "exoarmur.policy/v1", policyId: "none", version: 1, rules: [] };
  const own = { runtime: keys.runtime, log: keys.log, policyAuthor: keys.author };
  let runtime: Awaited<ReturnType<typeof createRuntime>> | undefined;
  const counts = await store.during(async () => {
    runtime = await createRuntime({ store, policy, plugins: [], keys: own });
  });
  await runtime?.close();
  return counts;
}

/** Inner nodes of the complete subtrees of `size` leaves. */
function nodesOf(size: number): number {
  let nodes = 0;
  for (let width = 2; width <= size; width *= 2) nodes += Math.floor(size / width);
  return nodes;
}

beforeAll(async () => {
  for (const name of ["small", "large"]) await startOn({ path: join(folder, name) } as Log);
  small = await openLog(join(folder, "small"));
  large = await openLog(join(folder, "large"));
  await fillTo(small.ledger, few);
  await fillTo(large.ledger, many / 2);
  const before = await collected();
  await fillTo(large.ledger, many);
  grown = (await collected()) - before;
}, 600_000);

afterAll(async () => {
  await closeLog(small);
  await closeLog(large);
  rmSync(folder, { recursive: true, force: true });
});

describe("appending", () => {
  it.each([1, 64])("in groups of %i reads nothing and writes what is new, whatever the log's size", async (at) => {
    for (const { ledger, store } of [small, large]) {
      for (let round = 0; round < 8; round += 1) {
        const before = ledger.size;
        const counts = await store.during(async () => {
          const append = (): Promise<number> => ledger.transact((tx) => tx.appendLeaf("event", digest(tx.size)));
          await Promise.all(Array.from({ length: at }, append));
        });
        // The leaves, the subtrees they complete, and the checkpoint.
        const changes = at + nodesOf(before + at) - nodesOf(before) + 1;
        expect(counts).toEqual({ gets: 0, entries: 0, commits: 1, changes });
        expect(changes).toBeLessThanOrEqual(2 * at + levels + 1);
      }
    }
  });

  it("leaves no memory behind: less than 40 bytes of an entry", () => {
    console.log(`memory grown by ${many / 2} entries: ${(grown / 2 ** 20).toFixed(2)} MiB`);
    expect(grown).toBeLessThan((many / 2) * 40);
  });
});

describe("proofs", () => {
  const places = Array.from({ length: 300 }, (_, n) => (n * 7919) % many);

  it("of entries near and far verify under the newest checkpoint, and read at most two nodes a level", async () => {
    const { ledger, store } = large;
    const { size, root } = readCheckpoint(ledger.checkpoint());
    for (const index of [0, 1, many - 1, size - 1, ...places]) {
      let proof: Uint8Array[] = [];
      const { gets } = await store.during(() => (proof = ledger.prove(index)));
      expect(gets).toBeLessThanOrEqual(2 * levels);
      const claim = { index, size, leaf: ledger.leaf(index), proof, root };
      expect(verifyInclusion(claim)).toBe(true);
      expect(verifyInclusion({ ...claim, index: (index + 1) % size })).toBe(false);
      expect(verifyInclusion({ ...claim, leaf: ledger.leaf((index + 1) % size) })).toBe(false);
    }
  });

  it("that the log only grew verify from every size tried, and read at most two nodes a level", async () => {
    const { ledger, store } = large;
    const { size, root } = readCheckpoint(ledger.checkpoint());
    const readNode = nodeReader(store);
    for (const oldSize of [1, few, 65_536, size, ...places.map((at) => at + 1)]) {
      let proof: Uint8Array[] = [];
      const { gets } = await store.during(() => (proof = ledger.consistency(oldSize, size)));
      expect(gets).toBeLessThanOrEqual(2 * levels + 1);
      const claim = { oldSize, newSize: size, oldRoot: rootFromNodes(oldSize, readNode), newRoot: root, proof };
      expect(verifyConsistency(claim)).toBe(true);
      expect(verifyConsistency({ ...claim, oldRoot: rootFromNodes(oldSize === 1 ? 2 : oldSize - 1, readNode) })).toBe(
        false,
      );
    }
  });

  it("stand on a tree whose every leaf and node is right", () => {
    const { size } = large.ledger;
    expect(auditTree(large.store)).toMatchObject({ ok: true, size, leaves: size, nodes: nodesOf(size), problems: [] });
  });
});

describe("starting", () => {
  it("opens the log by its checkpoint, one hash a level and its last entry", async () => {
    await closeLog(large);
    const store = new CountingStore(await openLmdbStore(large.path));
    const epoch = await store.acquire();
    let ledger: Ledger | undefined;
    const counts = await store.during(async () => {
      ledger = await openLedger({ store, epoch, origin, signer: keys.log });
    });
    large = { path: large.path, store, ledger: ledger ?? expect.fail("no ledger") };
    expect(large.ledger.size).toBeGreaterThan(many);
    expect(counts.gets).toBeLessThanOrEqual(levels + 1);
    expect(counts.entries).toBe(1);
    expect(counts.commits).toBe(0);
  });

  it("reads no more for a whole runtime than on a small log, but a hash a level", async () => {
    await closeLog(small);
    await closeLog(large);
    const [little, much] = [await startOn(small), await startOn(large)];
    [small, large] = [await openLog(small.path), await openLog(large.path)];
    console.log("a runtime's start:", { little, much });
    expect(little.gets).toBeGreaterThan(0);
    expect(much.gets).toBeLessThanOrEqual(little.gets + levels);
    expect(much.entries).toBe(little.entries);
  });
});
