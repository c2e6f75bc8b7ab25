/** The log: appending beside what limits it, and a log of a million entries beside one of a thousand. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { open } from "lmdb";
import { digestOf } from "../../dist/canonical/digest.js";
import { verifyEd25519 } from "../../dist/crypto/ed25519.js";
import { encodeUtf8 } from "../../dist/crypto/encoding.js";
import { sha256 } from "../../dist/crypto/sha256.js";
import { signerFromSeed } from "../../dist/crypto/signer.js";
import { leafBytes } from "../../dist/log/leaf.js";
import { openLedger } from "../../dist/log/ledger.js";
import { createMemoryStore } from "../../dist/stores/memory.js";
import { largeLogRows } from "./log-large.mjs";
import { concurrently, repeatedly } from "./measure.mjs";
import { row } from "./table.mjs";

const digest = digestOf(encodeUtf8("a leaf"));

/** Rows of raw peers, of a log in memory, and of a log on disk: 100,000 entries when quick, else 1,000,000. */
export async function logRows({ quick }) {
  const folder = mkdtempSync(join(tmpdir(), "exoarmur-bench-"));
  try {
    const raw = await rawWrites(join(folder, "raw"), quick);
    const large = await largeLogRows({ folder, entries: quick ? 100_000 : 1_000_000, quick, raw });
    return [...raw.rows, ...signatureRows(quick), ...(await memoryRows(quick)), ...large];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A leaf's bytes under a new key, flushed, without a log: LMDB by itself, set up as the store sets it up. */
async function rawWrites(path, quick) {
  const db = open({ path, encoding: "binary", compression: false, cache: false, overlappingSync: false });
  const value = leafBytes("event", digest);
  const rows = [];
  const each = {};
  let key = 0;
  for (const at of [1, 64]) {
    const count = (quick ? 200 : 1500) * (at === 1 ? 1 : 8);
    const run = await concurrently(count, at, () => db.put(String(key++).padStart(16, "0"), value));
    each[at] = run.each;
    rows.push(row(`raw LMDB, flushed writes, ${at} at a time`, figures(run)));
  }
  await db.close();
  return { rows, each };
}

function signatureRows(quick) {
  const signer = signerFromSeed(sha256(encodeUtf8("bench log")));
  const text = encodeUtf8(`exoarmur/bench\n1000000\n${Buffer.alloc(32).toString("base64")}\n`);
  const signature = signer.sign(text);
  const work = {
    "raw Ed25519, a checkpoint signed": () => signer.sign(text),
    "raw Ed25519, a checkpoint verified": () => verifyEd25519(signer.publicKey, text, signature),
  };
  return Object.entries(work).map(([name, operation]) => {
    const { p50, p99 } = repeatedly(quick ? 100 : 500, operation);
    return row(name, { value: p50 / 1000, unit: "ms", p99: p99 / 1000 });
  });
}

/** The log's own work, with no disk in the way. */
async function memoryRows(quick) {
  const signer = signerFromSeed(sha256(encodeUtf8("bench log")));
  const store = createMemoryStore();
  const ledger = await openLedger({ store, epoch: await store.acquire(), origin: "exoarmur/bench", signer });
  const append = () => ledger.transact((tx) => tx.appendLeaf("event", digest));
  const fillTo = async (size) => {
    while (ledger.size < size) {
      await ledger.transact((tx) => {
        for (let left = Math.min(size - tx.size, 1000); left > 0; left--) tx.appendLeaf("event", digest);
      });
    }
  };
  await fillTo(1000);
  const small = await concurrently(quick ? 500 : 3000, 1, append);
  await fillTo(100_000);
  const large = await concurrently(quick ? 500 : 3000, 1, append);
  const ratio = large.each / small.each;
  const target = { ratio, peer: "at 1,000", target: "<= 1.2x", reached: ratio <= 1.2 };
  return [
    row("append in memory, 1 at a time, from 1,000 entries", figures(small)),
    row("append in memory, 1 at a time, from 100,000 entries", { ...figures(large), ...target }),
  ];
}

const figures = (run) => ({ value: run.each, unit: "ms", p99: run.p99, rate: run.rate });
