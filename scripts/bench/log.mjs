/** The log: appending, and inclusion proofs in a large one. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf } from "../../dist/canonical/digest.js";
import { encodeUtf8 } from "../../dist/crypto/encoding.js";
import { sha256 } from "../../dist/crypto/sha256.js";
import { signerFromSeed } from "../../dist/crypto/signer.js";
import { readCheckpoint } from "../../dist/log/checkpoint.js";
import { openLedger } from "../../dist/log/ledger.js";
import { verifyInclusion } from "../../dist/log/tree.js";
import { openLmdbStore } from "../../dist/stores/lmdb.js";
import { createMemoryStore } from "../../dist/stores/memory.js";
import { concurrently, median, quantile } from "./measure.mjs";
import { row } from "./table.mjs";

const digest = digestOf(encodeUtf8("a leaf"));

async function ledgerOver(store) {
  const signer = signerFromSeed(sha256(encodeUtf8("bench log")));
  return await openLedger({ store, epoch: await store.acquire(), origin: "exoarmur/bench", signer });
}

/** Appends `leaves` leaves in operations of 1,000. */
async function fill(ledger, leaves) {
  for (let left = leaves; left > 0; left -= 1000) {
    await ledger.transact((tx) => {
      for (let i = 0; i < Math.min(left, 1000); i++) tx.appendLeaf("event", digest);
    });
  }
}

/** Appends on both stores, and proofs at 100,000 leaves. */
export async function logRows({ quick }) {
  const leaves = 100_000;
  const rows = [];
  const append = (ledger) => ledger.transact((tx) => tx.appendLeaf("event", digest));
  const memory = await ledgerOver(createMemoryStore());
  await fill(memory, 1000);
  const small = await concurrently(quick ? 500 : 3000, 1, () => append(memory));
  rows.push(
    row("append in memory, 1 at a time, from 1,000 leaves", {
      value: small.each,
      unit: "ms",
      p99: small.p99,
      rate: small.rate,
    }),
  );
  await fill(memory, leaves - memory.size);
  const large = await concurrently(quick ? 500 : 3000, 1, () => append(memory));
  const ratio = large.each / small.each;
  rows.push(
    row("append in memory, 1 at a time, from 100,000 leaves", {
      value: large.each,
      unit: "ms",
      p99: large.p99,
      rate: large.rate,
      ratio,
      peer: "at 1,000",
      target: "<= 1.2x",
      reached: ratio <= 1.2,
    }),
  );
  rows.push(...proofRows(memory, quick ? 500 : 5000));
  const folder = mkdtempSync(join(tmpdir(), "exoarmur-bench-"));
  const store = await openLmdbStore(folder);
  const durable = await ledgerOver(store);
  for (const at of [1, 64]) {
    const run = await concurrently((quick ? 200 : 1500) * (at === 1 ? 1 : 8), at, () => append(durable));
    rows.push(
      row(`append on LMDB, flushed and signed, ${at} at a time`, {
        value: run.each,
        unit: "ms",
        p99: run.p99,
        rate: run.rate,
      }),
    );
  }
  await durable.close();
  await store.close();
  rmSync(folder, { recursive: true, force: true });
  return rows;
}

function proofRows(ledger, count) {
  const { size } = ledger;
  const { root } = readCheckpoint(ledger.checkpoint());
  const made = [];
  const verified = [];
  for (let i = 0; i < count; i++) {
    const index = (i * 7919) % size;
    const start = performance.now();
    const proof = ledger.prove(index);
    const between = performance.now();
    const leaf = ledger.leaf(index);
    const then = performance.now();
    if (!verifyInclusion({ index, size, leaf, proof, root })) throw new Error("a proof does not verify");
    verified.push(performance.now() - then);
    made.push(between - start);
  }
  const rowOf = (name, samples) => {
    const value = median(samples);
    return row(name, { value, unit: "ms", p99: quantile(samples, 0.99), target: "<= 1 ms", reached: value <= 1 });
  };
  return [rowOf("inclusion proof at 100,000 leaves, produced", made), rowOf("the same, verified", verified)];
}
