import { describe, expect, it } from "vitest";
import { digestOf } from "../../src/canonical/digest.js";
import { readLeaf } from "../../src/log/leaf.js";
import { fillPositions } from "../../src/pipeline/fill-positions.js";
import { positions } from "../../src/pipeline/positions.js";
import { unpackEvent } from "../../src/pipeline/recorder.js";
import { positionKeys } from "../../src/pipeline/store-keys.js";
import { draft, openRig, type Rig } from "../support/rig.js";

/** Every position, held to the leaf it names: leaf, key and event are of one another. */
function checked({ store, ledger }: Rig): string[] {
  const seen: string[] = [];
  for (const { index, eventType, key } of positions(store, { from: 0, until: ledger.size })) {
    const leaf = readLeaf(ledger.leaf(index));
    const { header } = unpackEvent(store.get(key) ?? new Uint8Array(0));
    expect(leaf).toEqual({ kind: "event", digest: digestOf(header) });
    expect(JSON.parse(new TextDecoder().decode(header))).toMatchObject({ eventType });
    seen.push(`${index} ${eventType}`);
  }
  const leaves = Array.from({ length: ledger.size }, (_, index) => readLeaf(ledger.leaf(index)));
  expect(seen.length).toBe(leaves.filter((leaf) => leaf?.kind === "event").length);
  return seen;
}

async function busy(): Promise<Rig> {
  const rig = await openRig();
  const paths = ["data/a", "data/b", "elsewhere"];
  await Promise.all(paths.map((path) => rig.pipeline.execute(draft("fs.read", path))));
  await rig.pipeline.execute(draft("fs.remove", "data/a"));
  return rig;
}

/** Takes positions away, as in a store from before there were any. */
async function forget({ store, ledger }: Rig, below: number): Promise<void> {
  await ledger.transact((tx) => {
    for (const { index } of [...positions(store, { from: 0, until: below })]) tx.delete(positionKeys.one(index));
  });
}

describe("positions of events", () => {
  it("are those of their leaves, of concurrent intents too, and nothing of a failed transaction stays", async () => {
    const rig = await busy();
    const before = checked(rig);
    await expect(
      rig.ledger.transact((tx) => {
        tx.appendLeaf("event", digestOf(new Uint8Array(1)));
        tx.put(positionKeys.one(rig.ledger.size), new Uint8Array(1));
        throw new Error("no");
      }),
    ).rejects.toThrow("no");
    await rig.pipeline.execute(draft("fs.read", "data/c"));
    expect(checked(rig).slice(0, before.length)).toEqual(before);
  });

  it("come within their bounds, in both orders", async () => {
    const { store, ledger } = await busy();
    const all = [...positions(store, { from: 0, until: ledger.size })].map(({ index }) => index);
    const some = [...positions(store, { from: all[3] ?? 0, until: all[9] ?? 0 })].map(({ index }) => index);
    expect(some).toEqual(all.slice(3, 9));
    const back = [...positions(store, { from: 0, until: all[9] ?? 0, reverse: true })].map(({ index }) => index);
    expect(back).toEqual(all.slice(0, 9).reverse());
    expect([...positions(store, { from: 5, until: 5 })]).toEqual([]);
  });

  it.each(["", "intent_received", "a b c", "\ufffd"])("an entry %j is damage", async (text) => {
    const { store, ledger } = await busy();
    await ledger.transact((tx) => tx.put(positionKeys.one(0), new TextEncoder().encode(text)));
    expect(() => [...positions(store, { from: 0, until: ledger.size })]).toThrow("does not say where an event is");
  });

  it("are filled where a store has none, and where filling was stopped halfway", async () => {
    const rig = await busy();
    const whole = checked(rig);
    expect(await fillPositions(rig.store, rig.ledger)).toBe(0);
    const half = Math.floor(rig.ledger.size / 2);
    for (const below of [rig.ledger.size, half]) {
      await forget(rig, below);
      const gone = whole.filter((text) => Number.parseInt(text, 10) < below).length;
      expect(await fillPositions(rig.store, rig.ledger)).toBe(gone);
      expect(checked(rig)).toEqual(whole);
    }
  });
});
