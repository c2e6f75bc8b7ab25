import { describe, expect, it } from "vitest";
import { ExoArmurError } from "../../src/errors.js";
import { auditTree, compareCheckpoint, readLedger } from "../../src/log/audit.js";
import { openCheckpoint } from "../../src/log/checkpoint.js";
import { leafBytes } from "../../src/log/leaf.js";
import { openLedger } from "../../src/log/ledger.js";
import type { LedgerTx, Sealed } from "../../src/log/ledger-types.js";
import { verifyConsistency, verifyInclusion } from "../../src/log/tree.js";
import type { Signer, Store, StoreChange } from "../../src/ports.js";
import { createMemoryStore } from "../../src/stores/memory.js";
import { digest, ORIGIN, OTHER_VKEY, openOver, otherSigner, signer, text, untext, VKEY } from "./fixtures.js";

/** A store that counts commits and fails when told to. */
function watched(): { store: Store; commits: StoreChange[][]; failWith: { error?: unknown } } {
  const inner = createMemoryStore();
  const commits: StoreChange[][] = [];
  const failWith: { error?: unknown } = {};
  const store: Store = {
    get: (key) => inner.get(key),
    range: (range) => inner.range(range),
    acquire: () => inner.acquire(),
    close: () => inner.close(),
    commit: async (changes, epoch) => {
      await undefined;
      if (failWith.error !== undefined) throw failWith.error;
      commits.push([...changes]);
      return inner.commit(changes, epoch);
    },
  };
  return { store, commits, failWith };
}

const append =
  (name: string | number) =>
  (tx: LedgerTx): number =>
    tx.appendLeaf("event", digest(name));

describe("a commit that the store shows before it resolves", () => {
  it("can be proven to whoever sees it there, and what it does not show yet cannot", async () => {
    const inner = createMemoryStore();
    let [show, resolve] = [(): void => undefined, (): void => undefined];
    const shown = new Promise<void>((done) => {
      show = done;
    });
    const resolved = new Promise<void>((done) => {
      resolve = done;
    });
    let holds = false;
    const store: Store = {
      ...watched().store,
      get: (key) => inner.get(key),
      range: (range) => inner.range(range),
      acquire: () => inner.acquire(),
      commit: async (changes, epoch) => {
        if (holds) await shown;
        await inner.commit(changes, epoch);
        if (holds) await resolved;
      },
    };
    const ledger = await openOver(store);
    await ledger.transact(append("first"));
    holds = true;
    const second = ledger.transact(append("second"));
    await new Promise(setImmediate);
    expect([ledger.size, openCheckpoint(ledger.checkpoint(), [VKEY]).size]).toEqual([1, 1]);
    expect(() => ledger.prove(1)).toThrow(expect.objectContaining({ code: "EXO_LOG_RANGE" }));
    show();
    await new Promise(setImmediate);
    const { size, root } = openCheckpoint(ledger.checkpoint(), [VKEY]);
    expect([ledger.size, size]).toEqual([2, 2]);
    const leaf = leafBytes("event", digest("second"));
    expect(verifyInclusion({ leaf, index: 1, size, root, proof: ledger.prove(1) })).toBe(true);
    resolve();
    expect(await second).toBe(1);
    holds = false;
    expect(await ledger.transact(append("third"))).toBe(2);
    expect(auditTree(store)).toMatchObject({ ok: true });
  });
});

describe("a new log", () => {
  it("begins with the signed checkpoint of the empty tree", async () => {
    const store = createMemoryStore();
    const ledger = await openOver(store);
    expect(ledger.size).toBe(0);
    const checkpoint = openCheckpoint(ledger.checkpoint(), [VKEY]);
    expect(checkpoint).toMatchObject({ origin: ORIGIN, size: 0 });
    expect(Buffer.from(checkpoint.root).toString("hex")).toBe(
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    );
    expect(untext(store.get("m/checkpoint"))).toBe(ledger.checkpoint());
    expect(() => ledger.prove(0)).toThrow(expect.objectContaining({ code: "EXO_LOG_RANGE" }));
    expect(() => ledger.consistency(0, 0)).toThrow(expect.objectContaining({ code: "EXO_LOG_RANGE" }));
    expect(() => ledger.leaf(0)).toThrow(expect.objectContaining({ code: "EXO_LOG_RANGE" }));
  });

  it("keeps leaves, nodes and checkpoint under the documented keys", async () => {
    const store = createMemoryStore();
    const ledger = await openOver(store);
    for (let at = 0; at < 5; at += 1) await ledger.transact(append(at));
    expect([...store.range({ gte: " ", lt: "~" })].map(([key]) => key)).toEqual([
      "l/0000000000000000",
      "l/0000000000000001",
      "l/0000000000000002",
      "l/0000000000000003",
      "l/0000000000000004",
      "m/checkpoint",
      "t/01/0000000000000000",
      "t/01/0000000000000001",
      "t/02/0000000000000000",
    ]);
    expect(untext(store.get("l/0000000000000002"))).toBe(
      `{"digest":"sha256:d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35","kind":"event","schema":"exoarmur.leaf/v1"}`,
    );
  });
});

describe("a group", () => {
  it("is one commit and one checkpoint for everything queued together, in order", async () => {
    const { store, commits } = watched();
    const ledger = await openOver(store);
    commits.length = 0;
    const indexes = await Promise.all(Array.from({ length: 50 }, (_, at) => ledger.transact(append(at))));
    expect(indexes).toEqual(Array.from({ length: 50 }, (_, at) => at));
    expect(commits.length).toBe(1);
    expect(commits[0]?.filter(({ key }) => key === "m/checkpoint").length).toBe(1);
    expect(openCheckpoint(ledger.checkpoint(), [VKEY]).size).toBe(50);
  });

  it("holds no more operations or bytes than its limits", async () => {
    const { store, commits } = watched();
    const ledger = await openOver(store, { groupOperations: 4, groupBytes: 1_000 });
    commits.length = 0;
    await Promise.all(Array.from({ length: 10 }, (_, at) => ledger.transact(append(at))));
    expect(commits.length).toBe(3);
    commits.length = 0;
    await Promise.all(
      Array.from({ length: 3 }, (_, at) => ledger.transact((tx) => tx.put(`k/${at}`, new Uint8Array(1_000)))),
    );
    expect(commits.length).toBe(3);
  });

  it("lets an operation read what it and earlier ones wrote, and what they deleted not", async () => {
    const ledger = await openOver(createMemoryStore());
    await ledger.transact((tx) => {
      for (const key of ["a", "b", "c"]) tx.put(key, text(key));
    });
    const seen: unknown[] = [];
    await Promise.all([
      ledger.transact((tx) => {
        tx.put("b", text("B"));
        tx.put("bb", text("BB"));
        tx.delete("c");
        tx.delete("never");
        seen.push(
          untext(tx.get("b")),
          tx.get("c"),
          [...tx.range({ gte: "a", lt: "d" })].map(([key]) => key),
        );
      }),
      ledger.transact((tx) => {
        tx.put("c", text("again"));
        tx.delete("a");
        seen.push([...tx.range({ gte: "a", lt: "d" })].map(([key, value]) => [key, untext(value)]));
        seen.push(
          [...tx.range({ gte: "a", lt: "d", reverse: true, limit: 2 })].map(([key]) => key),
          tx.get("a"),
        );
      }),
    ]);
    expect(seen).toEqual([
      "B",
      undefined,
      ["a", "b", "bb"],
      [
        ["b", "B"],
        ["bb", "BB"],
        ["c", "again"],
      ],
      ["c", "bb"],
      undefined,
    ]);
  });

  it("discards an operation that throws, whole, and nobody else's", async () => {
    const store = createMemoryStore();
    const ledger = await openOver(store);
    const failed = new Error("no");
    const [first, second, third, fourth] = await Promise.allSettled([
      ledger.transact(append("first")),
      ledger.transact((tx) => {
        tx.put("k", text("lost"));
        tx.appendLeaf("event", digest("lost"));
        tx.onSealed(() => expect.unreachable());
        throw failed;
      }),
      ledger.transact(async (tx) => {
        tx.put("k2", text("lost"));
        await undefined;
        tx.appendLeaf("event", digest("lost too"));
        throw failed;
      }),
      ledger.transact((tx) => [tx.appendLeaf("bundle", digest("fourth")), tx.get("k"), tx.get("k2"), tx.size]),
    ]);
    expect(first).toEqual({ status: "fulfilled", value: 0 });
    expect(second).toEqual({ status: "rejected", reason: failed });
    expect(third).toEqual({ status: "rejected", reason: failed });
    expect(fourth).toEqual({ status: "fulfilled", value: [1, undefined, undefined, 2] });
    expect(ledger.size).toBe(2);
    expect(ledger.leaf(1)).toEqual(leafBytes("bundle", digest("fourth")));
    expect(store.get("k")).toBeUndefined();
    expect(auditTree(store)).toMatchObject({ ok: true, leaves: 2 });
  });

  it("runs one operation at a time, asynchronous ones too", async () => {
    const ledger = await openOver(createMemoryStore());
    const steps: string[] = [];
    const slow =
      (name: string) =>
      async (tx: LedgerTx): Promise<void> => {
        steps.push(`${name} ${tx.size}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
        tx.appendLeaf("event", digest(name));
        steps.push(`${name} ${tx.size}`);
      };
    await Promise.all([ledger.transact(slow("a")), ledger.transact(slow("b"))]);
    expect(steps).toEqual(["a 0", "a 1", "b 1", "b 2"]);
  });

  it("commits nothing and signs nothing for operations that only read", async () => {
    const { store, commits } = watched();
    const ledger = await openOver(store);
    await ledger.transact(append(1));
    const before = ledger.checkpoint();
    commits.length = 0;
    await ledger.transact((tx) => tx.get("a"));
    expect(commits.length).toBe(0);
    await ledger.transact((tx) => tx.put("a", text("a")));
    expect(commits).toEqual([[{ key: "a", value: text("a") }]]);
    expect(ledger.checkpoint()).toBe(before);
  });
});

describe("onSealed", () => {
  it("comes after the commit and before the result, with proofs under the group's checkpoint", async () => {
    const { store, commits } = watched();
    const ledger = await openOver(store);
    await ledger.transact(append("before"));
    commits.length = 0;
    const order: string[] = [];
    const sealed: Sealed[] = [];
    const results = Array.from({ length: 6 }, async (_, at) => {
      const index = await ledger.transact((tx) => {
        tx.onSealed((seal) => {
          expect(commits.length).toBe(1);
          order.push(`sealed ${at}`);
          sealed.push(seal);
        });
        return tx.appendLeaf("event", digest(at));
      });
      order.push(`done ${at}`);
      return index;
    });
    const indexes = await Promise.all(results);
    await ledger.transact(append("after"));
    for (let at = 0; at < 6; at += 1) {
      expect(order.indexOf(`sealed ${at}`)).toBeLessThan(order.indexOf(`done ${at}`));
      const seal = sealed[at] as Sealed;
      const { size, root } = openCheckpoint(seal.checkpoint, [VKEY]);
      expect([seal.size, size]).toEqual([7, 7]);
      expect(seal.root).toEqual(root);
      const index = indexes[at] as number;
      expect(
        verifyInclusion({ leaf: leafBytes("event", digest(at)), index, size, root, proof: seal.prove(index) }),
      ).toBe(true);
      expect(() => seal.prove(7)).toThrow(expect.objectContaining({ code: "EXO_LOG_RANGE" }));
    }
  });

  it("rejects only its own call when it throws", async () => {
    const ledger = await openOver(createMemoryStore());
    const wrong = new Error("callback");
    const [first, second] = await Promise.allSettled([
      ledger.transact((tx) => {
        tx.appendLeaf("event", digest(1));
        tx.onSealed(() => {
          throw wrong;
        });
      }),
      ledger.transact(append(2)),
    ]);
    expect(first).toEqual({ status: "rejected", reason: wrong });
    expect(second).toEqual({ status: "fulfilled", value: 1 });
    expect(ledger.size).toBe(2);
  });
});

describe("misuse of a transaction", () => {
  const internal = expect.objectContaining({ code: "EXO_INTERNAL" });

  it.each(["l/0000000000000000", "l/", "t/01/0000000000000000", "t/x", "m/checkpoint"])(
    "refuses the log's own key %s",
    async (key) => {
      const ledger = await openOver(createMemoryStore());
      await expect(ledger.transact((tx) => tx.put(key, text("x")))).rejects.toEqual(internal);
      await expect(ledger.transact((tx) => tx.delete(key))).rejects.toEqual(internal);
    },
  );

  it("refuses a digest or kind that is none", async () => {
    const ledger = await openOver(createMemoryStore());
    const schema = { code: "EXO_SCHEMA" };
    for (const bad of [
      "",
      "sha256:",
      digest(1).toUpperCase(),
      `${digest(1)}0`,
      digest(1).slice(0, -1),
      `${digest(1)}\n`,
      digest(1).replace("sha256", "sha512"),
    ]) {
      await expect(ledger.transact((tx) => tx.appendLeaf("event", bad))).rejects.toMatchObject(schema);
    }
    await expect(ledger.transact((tx) => tx.appendLeaf("other" as "event", digest(1)))).rejects.toMatchObject(schema);
    expect(ledger.size).toBe(0);
  });

  it("refuses to be used after its operation ended", async () => {
    const ledger = await openOver(createMemoryStore());
    let kept: LedgerTx | undefined;
    await ledger.transact((tx) => {
      kept = tx;
    });
    const late = kept as LedgerTx;
    expect(() => late.put("a", text("a"))).toThrow(internal);
    expect(() => late.get("a")).toThrow(internal);
    expect(() => late.delete("a")).toThrow(internal);
    expect(() => late.range({ gte: "a", lt: "b" })).toThrow(internal);
    expect(() => late.appendLeaf("event", digest(1))).toThrow(internal);
    expect(() => late.onSealed(() => {})).toThrow(internal);
  });
});

describe("failures", () => {
  it("rejects the whole group with the store's error and takes no more work", async () => {
    const { store, failWith } = watched();
    const ledger = await openOver(store);
    await ledger.transact(append("kept"));
    const before = ledger.checkpoint();
    failWith.error = new ExoArmurError("EXO_STORE", "disk full");
    const mine = new Error("mine");
    const results = await Promise.allSettled([
      ledger.transact(append(1)),
      ledger.transact(() => {
        throw mine;
      }),
      ledger.transact((tx) => tx.get("a")),
    ]);
    for (const result of results) expect(result).toEqual({ status: "rejected", reason: failWith.error });
    delete failWith.error;
    await expect(ledger.transact(append(2))).rejects.toMatchObject({
      code: "EXO_STORE",
      message: expect.stringContaining("disk full"),
    });
    expect([ledger.size, ledger.checkpoint()]).toEqual([1, before]);
    expect(ledger.leaf(0)).toEqual(leafBytes("event", digest("kept")));
  });

  it("rejects what was queued behind a failed group", async () => {
    const { store, failWith } = watched();
    const ledger = await openOver(store, { groupOperations: 1 });
    failWith.error = new ExoArmurError("EXO_STORE", "disk full");
    const [first, second] = await Promise.allSettled([ledger.transact(append(1)), ledger.transact(append(2))]);
    expect(first).toMatchObject({ reason: { message: "disk full" } });
    expect(second).toMatchObject({
      reason: { code: "EXO_STORE", message: "The log takes no more work since a commit failed: disk full" },
    });
    await ledger.close();
  });

  it("is fenced by whoever acquires the store after it", async () => {
    const store = createMemoryStore();
    const old = await openOver(store);
    await old.transact(append(1));
    const next = await openOver(store);
    await expect(old.transact(append(2))).rejects.toMatchObject({ code: "EXO_FENCED" });
    await expect(old.transact(append(2))).rejects.toMatchObject({ code: "EXO_STORE" });
    await next.transact(append(3));
    expect(next.size).toBe(2);
    expect(auditTree(store).ok).toBe(true);
  });

  it("loses only the group when signing fails", async () => {
    const store = createMemoryStore();
    let broken = false;
    const moody: Signer = {
      ...signer,
      sign: (message) => {
        if (broken) throw new Error("no device");
        return signer.sign(message);
      },
    };
    const ledger = await openLedger({ store, epoch: await store.acquire(), origin: ORIGIN, signer: moody });
    broken = true;
    await expect(ledger.transact(append(1))).rejects.toThrow("no device");
    broken = false;
    await expect(ledger.transact(append(2))).resolves.toBe(0);
    expect(auditTree(store)).toMatchObject({ ok: true, leaves: 1 });
  });

  it("finishes what is queued when closed, and takes no more", async () => {
    const ledger = await openOver(createMemoryStore());
    const queued = [ledger.transact(append(1)), ledger.transact(append(2))];
    await ledger.close();
    expect(ledger.size).toBe(2);
    expect(await Promise.all(queued)).toEqual([0, 1]);
    await expect(ledger.transact(append(3))).rejects.toMatchObject({ code: "EXO_CLOSED" });
    await ledger.close();
  });
});

describe("reopening", () => {
  const damaged = { code: "EXO_STORE_DAMAGED" };
  const filled = async (leaves: number): Promise<{ store: Store; epoch: number; checkpoint: string }> => {
    const store = createMemoryStore();
    const ledger = await openOver(store);
    for (let at = 0; at < leaves; at += 1) await ledger.transact(append(at));
    return { store, epoch: await store.acquire(), checkpoint: ledger.checkpoint() };
  };

  it.each([1, 2, 3, 7, 8, 13])("goes on where %d leaves ended", async (leaves) => {
    const { store, epoch, checkpoint } = await filled(leaves);
    const ledger = await openLedger({ store, epoch, origin: ORIGIN, signer });
    expect([ledger.size, ledger.checkpoint()]).toEqual([leaves, checkpoint]);
    expect(await ledger.transact(append("next"))).toBe(leaves);
    const [old, now] = [openCheckpoint(checkpoint, [VKEY]), openCheckpoint(ledger.checkpoint(), [VKEY])];
    const proof = ledger.consistency(old.size, now.size);
    expect(
      verifyConsistency({ oldSize: old.size, newSize: now.size, oldRoot: old.root, newRoot: now.root, proof }),
    ).toBe(true);
    expect(auditTree(store)).toMatchObject({ ok: true, leaves: leaves + 1 });
  });

  const tampers: [string, StoreChange[]][] = [
    ["a checkpoint is missing", [{ key: "m/checkpoint", value: null }]],
    ["the checkpoint is no note", [{ key: "m/checkpoint", value: text("x") }]],
    ["the checkpoint is not UTF-8", [{ key: "m/checkpoint", value: Uint8Array.of(255, 10, 10) }]],
    ["the last leaf is missing", [{ key: "l/0000000000000006", value: null }]],
    ["the last leaf is another", [{ key: "l/0000000000000006", value: text("x") }]],
    ["a leaf too many is there", [{ key: "l/0000000000000007", value: leafBytes("event", digest("x")) }]],
    ["a peak is missing", [{ key: "t/02/0000000000000000", value: null }]],
    ["a peak is another", [{ key: "t/02/0000000000000000", value: new Uint8Array(32) }]],
    ["a peak is cut", [{ key: "t/01/0000000000000002", value: new Uint8Array(31) }]],
  ];
  it.each(tampers)("refuses when %s", async (_, changes) => {
    const { store, epoch } = await filled(7);
    await store.commit(changes, epoch);
    await expect(openLedger({ store, epoch, origin: ORIGIN, signer })).rejects.toMatchObject(damaged);
    expect(auditTree(store).ok).toBe(false);
  });

  it("refuses an older checkpoint over a newer tree", async () => {
    const { store, epoch } = await filled(7);
    const ledger = await openLedger({ store, epoch, origin: ORIGIN, signer });
    const old = text(ledger.checkpoint());
    await ledger.transact(append("more"));
    await store.commit([{ key: "m/checkpoint", value: old }], epoch);
    await expect(openLedger({ store, epoch, origin: ORIGIN, signer })).rejects.toMatchObject(damaged);
    expect(auditTree(store).problems).toEqual([
      "The entry l/0000000000000007 lies beyond the checkpoint's 7 leaves.",
      "The entry t/01/0000000000000003 lies beyond the checkpoint's 7 leaves.",
      "The entry t/02/0000000000000001 lies beyond the checkpoint's 7 leaves.",
      "The entry t/03/0000000000000000 lies beyond the checkpoint's 7 leaves.",
    ]);
  });

  it("refuses another origin or key, unless the key is named as a former one", async () => {
    const { store, epoch } = await filled(3);
    await expect(openLedger({ store, epoch, origin: "example.org/cell-2", signer })).rejects.toMatchObject(damaged);
    await expect(openLedger({ store, epoch, origin: ORIGIN, signer: otherSigner })).rejects.toMatchObject(damaged);
    const rotated = await openLedger({ store, epoch, origin: ORIGIN, signer: otherSigner, formerVkeys: [VKEY] });
    await rotated.transact(append("rotated"));
    expect(openCheckpoint(rotated.checkpoint(), [OTHER_VKEY]).size).toBe(4);
  });
});

describe("auditTree", () => {
  const tampers: [string, StoreChange, string][] = [
    [
      "an early leaf changed",
      { key: "l/0000000000000001", value: leafBytes("event", digest("forged")) },
      "The node t/01/0000000000000000 is not the hash of its leaves.",
    ],
    [
      "an early leaf missing",
      { key: "l/0000000000000001", value: null },
      "The leaf l/0000000000000001 is missing; the next one stored is l/0000000000000002.",
    ],
    [
      "a leaf of no form",
      { key: "l/0000000000000006", value: text("{}") },
      "The leaf l/0000000000000006 is not of a leaf's form.",
    ],
    [
      "an inner node changed",
      { key: "t/01/0000000000000001", value: new Uint8Array(32) },
      "The node t/01/0000000000000001 is not the hash of its leaves.",
    ],
    [
      "an inner node missing",
      { key: "t/01/0000000000000000", value: null },
      "The node t/01/0000000000000000 is missing.",
    ],
    [
      "a surplus node",
      { key: "t/03/0000000000000000", value: new Uint8Array(32) },
      "The entry t/03/0000000000000000 lies beyond the checkpoint's 7 leaves.",
    ],
    [
      "a foreign key among the leaves",
      { key: "l/x", value: text("x") },
      "The entry l/x lies beyond the checkpoint's 7 leaves.",
    ],
  ];
  it.each(tampers)("names %s", async (_, change, problem) => {
    const store = createMemoryStore();
    const ledger = await openOver(store);
    for (let at = 0; at < 7; at += 1) await ledger.transact(append(at));
    expect(auditTree(store)).toEqual({ ok: true, size: 7, leaves: 7, nodes: 4, problems: [] });
    await store.commit([change], await store.acquire());
    const audit = auditTree(store);
    expect(audit.ok).toBe(false);
    expect(audit.problems).toContain(problem);
  });
});

describe("readLedger and compareCheckpoint", () => {
  it("reads what the owner wrote, as of one checkpoint", async () => {
    const store = createMemoryStore();
    const ledger = await openOver(store);
    for (let at = 0; at < 9; at += 1) await ledger.transact(append(at));
    const view = readLedger(store, ORIGIN);
    await ledger.transact(append("later"));
    expect(view.size).toBe(9);
    const { root } = openCheckpoint(view.checkpoint, [VKEY]);
    expect(view.root).toEqual(root);
    expect(verifyInclusion({ leaf: view.leaf(4), index: 4, size: 9, root, proof: view.prove(4) })).toBe(true);
    expect(view.consistency(3, 9)).toEqual(ledger.consistency(3, 9));
    const range = expect.objectContaining({ code: "EXO_LOG_RANGE" });
    expect(() => view.prove(9)).toThrow(range);
    expect(() => view.prove(0, 10)).toThrow(range);
    expect(() => view.consistency(3, 10)).toThrow(range);
    expect(() => view.leaf(9)).toThrow(range);
    const damaged = expect.objectContaining({ code: "EXO_STORE_DAMAGED" });
    expect(() => readLedger(store, "example.org/other")).toThrow(damaged);
    expect(() => readLedger(createMemoryStore(), ORIGIN)).toThrow(damaged);
  });

  it("tells behind, inconsistent and consistent apart", async () => {
    const store = createMemoryStore();
    const ledger = await openOver(store);
    const fork = await openOver(createMemoryStore());
    const notes = [ledger.checkpoint()];
    for (let at = 0; at < 6; at += 1) {
      await ledger.transact(append(at));
      await fork.transact(append(at === 3 ? "forged" : at));
      notes.push(ledger.checkpoint());
      if (at < 3) expect(compareCheckpoint(store, fork.checkpoint())).toBe("consistent");
      else expect(compareCheckpoint(store, fork.checkpoint())).toBe("inconsistent");
    }
    for (const note of notes) expect(compareCheckpoint(store, note)).toBe("consistent");
    await fork.transact(append("longer"));
    expect(compareCheckpoint(store, fork.checkpoint())).toBe("behind");
    const elsewhere = createMemoryStore();
    const other = await openLedger({
      store: elsewhere,
      epoch: await elsewhere.acquire(),
      origin: "example.org/other",
      signer,
    });
    expect(compareCheckpoint(store, other.checkpoint())).toBe("inconsistent");
    expect(() => compareCheckpoint(store, "x")).toThrow(expect.objectContaining({ code: "EXO_NOTE" }));
    expect(() => compareCheckpoint(createMemoryStore(), ledger.checkpoint())).toThrow(
      expect.objectContaining({ code: "EXO_STORE_DAMAGED" }),
    );
  });
});
