import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { auditTree } from "../../src/log/audit.js";
import { openCheckpoint } from "../../src/log/checkpoint.js";
import { leafBytes } from "../../src/log/leaf.js";
import type { LedgerTx } from "../../src/log/ledger-types.js";
import { verifyConsistency, verifyInclusion } from "../../src/log/tree.js";
import type { Store } from "../../src/ports.js";
import { openLmdbStore } from "../../src/stores/lmdb.js";
import { createMemoryStore } from "../../src/stores/memory.js";
import { digest, openOver, text, untext, VKEY } from "./fixtures.js";

type Step =
  | { readonly do: "put"; readonly key: string; readonly value: string }
  | { readonly do: "delete"; readonly key: string }
  | { readonly do: "leaf"; readonly name: number }
  | { readonly do: "get"; readonly key: string }
  | {
      readonly do: "range";
      readonly gte: string;
      readonly lt: string;
      readonly limit: number;
      readonly reverse: boolean;
    }
  | { readonly do: "wait" };
type Operation = { readonly steps: readonly Step[]; readonly throws: boolean };

const key = fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 1, maxLength: 3 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant("put" as const), key, value: fc.string({ maxLength: 4 }) }),
  fc.record({ do: fc.constant("delete" as const), key }),
  fc.record({ do: fc.constant("leaf" as const), name: fc.nat(1000) }),
  fc.record({ do: fc.constant("get" as const), key }),
  fc.record({ do: fc.constant("range" as const), gte: key, lt: key, limit: fc.nat(6), reverse: fc.boolean() }),
  fc.record({ do: fc.constant("wait" as const) }),
);
const operation: fc.Arbitrary<Operation> = fc.record({ steps: fc.array(step, { maxLength: 8 }), throws: fc.boolean() });
/** Batches run one after the other; the operations of a batch are queued together. */
const history = fc.array(fc.array(operation, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 6 });

class Discarded extends Error {}

/** What an operation sees and does, on the ledger and on the model alike. */
function* play(
  steps: readonly Step[],
  tx: Pick<LedgerTx, "get" | "put" | "delete" | "appendLeaf" | "range">,
): Generator<unknown, void> {
  for (const now of steps) {
    if (now.do === "put") tx.put(now.key, text(now.value));
    else if (now.do === "delete") tx.delete(now.key);
    else if (now.do === "leaf") yield tx.appendLeaf("event", digest(now.name));
    else if (now.do === "get") yield untext(tx.get(now.key)) ?? null;
    else if (now.do === "range") yield [...tx.range(now)].map(([name, value]) => [name, untext(value)]);
    else yield "wait";
  }
}

class Model {
  map = new Map<string, Uint8Array>();
  leaves: Uint8Array[] = [];

  run({ steps, throws }: Operation): unknown[] | undefined {
    const kept = { map: new Map(this.map), leaves: [...this.leaves] };
    const seen = [
      ...play(steps, {
        get: (name) => this.map.get(name),
        put: (name, value) => void this.map.set(name, value),
        delete: (name) => void this.map.delete(name),
        appendLeaf: (kind, of) => this.leaves.push(leafBytes(kind, of)) - 1,
        range: ({ gte, lt, limit = 99, reverse = false }) => {
          const inside = [...this.map]
            .filter(([name]) => name >= gte && name < lt)
            .sort(([a], [b]) => (a < b ? -1 : 1));
          return (reverse ? inside.reverse() : inside).slice(0, limit);
        },
      }),
    ];
    if (!throws) return seen;
    this.map = kept.map;
    this.leaves = kept.leaves;
    return undefined;
  }
}

async function check(store: Store, batches: readonly (readonly Operation[])[], groupOperations: number): Promise<void> {
  const model = new Model();
  const ledger = await openOver(store, { groupOperations });
  const notes: string[] = [];
  for (const batch of batches) {
    const outcomes = batch.map(({ steps, throws }) =>
      ledger.transact((tx) => {
        const seen: unknown[] = [];
        tx.onSealed(({ checkpoint, size, prove }) => {
          notes.push(checkpoint);
          const { root } = openCheckpoint(checkpoint, [VKEY]);
          const mine = seen.filter((value): value is number => typeof value === "number");
          for (const index of mine)
            expect(verifyInclusion({ leaf: ledger.leaf(index), index, size, root, proof: prove(index) })).toBe(true);
        });
        const walk = play(steps, tx);
        const advance = (): unknown[] | Promise<unknown[]> => {
          for (let next = walk.next(); !next.done; next = walk.next()) {
            seen.push(next.value);
            if (next.value === "wait") return Promise.resolve().then(advance);
          }
          if (throws) throw new Discarded();
          return seen;
        };
        return advance();
      }),
    );
    const settled = await Promise.allSettled(outcomes);
    for (const [at, each] of batch.entries()) {
      const wanted = model.run(each);
      const got = settled[at];
      if (wanted === undefined) expect(got).toMatchObject({ status: "rejected", reason: expect.any(Discarded) });
      else expect(got).toEqual({ status: "fulfilled", value: wanted });
    }
  }
  await ledger.close();
  expect([...store.range({ gte: "a", lt: "d" })].map(([name, value]) => [name, untext(value)])).toEqual(
    [...model.map].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => [name, untext(value)]),
  );
  expect(model.leaves).toEqual(model.leaves.map((_, at) => ledger.leaf(at)));
  expect(auditTree(store)).toMatchObject({ ok: true, leaves: model.leaves.length });
  const last = openCheckpoint(ledger.checkpoint(), [VKEY]);
  for (const note of new Set(notes)) {
    const { size, root } = openCheckpoint(note, [VKEY]);
    if (size === 0) continue;
    expect(
      verifyConsistency({
        oldSize: size,
        newSize: last.size,
        oldRoot: root,
        newRoot: last.root,
        proof: ledger.consistency(size, last.size),
      }),
    ).toBe(true);
  }
}

describe("any history of operations", () => {
  it("leaves what a plain map and list would hold: memory", async () => {
    await fc.assert(
      fc.asyncProperty(history, fc.constantFrom(1, 2, 512), (batches, group) =>
        check(createMemoryStore(), batches, group),
      ),
      { numRuns: 60 },
    );
  });

  it("leaves what a plain map and list would hold: lmdb", async () => {
    const property = fc.asyncProperty(history, fc.constantFrom(1, 2, 512), async (batches, group) => {
      const folder = mkdtempSync(join(tmpdir(), "exo-ledger-"));
      const store = await openLmdbStore(folder);
      try {
        await check(store, batches, group);
      } finally {
        await store.close();
        rmSync(folder, { recursive: true, force: true });
      }
    });
    await fc.assert(property, { numRuns: 15 });
  });
});
