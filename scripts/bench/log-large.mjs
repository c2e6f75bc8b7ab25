/** A home whose log has very many entries, appended as the runtime appends them, beside one of 1,000. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { digestOf } from "../../dist/canonical/digest.js";
import { encodeUtf8 } from "../../dist/crypto/encoding.js";
import { signerFromSeed } from "../../dist/crypto/signer.js";
import { readCheckpoint } from "../../dist/log/checkpoint.js";
import { openLedger } from "../../dist/log/ledger.js";
import { nodeReader } from "../../dist/log/store-layout.js";
import { rootFromNodes, verifyConsistency, verifyInclusion } from "../../dist/log/tree.js";
import { openLmdbStore } from "../../dist/stores/lmdb.js";
import { concurrently, median, quantile } from "./measure.mjs";
import { row } from "./table.mjs";

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
/** Entries of one commit while a log is filled. */
const filling = 10_000;
setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc");
const words = (number) => number.toLocaleString("en-US");

/** `raw.each` are the milliseconds of a raw flushed write, by how many go at a time. Leaves its homes in `folder`. */
export async function largeLogRows({ folder, entries, quick, raw }) {
  const homes = [newHome(folder, "small"), newHome(folder, "large")];
  const [small, large] = [await openLog(homes[0]), await openLog(homes[1])];
  await fillTo(small.ledger, 1000);
  await fillTo(large.ledger, Math.floor(entries / 2));
  const before = ownMemory();
  const start = performance.now();
  await fillTo(large.ledger, entries);
  const seconds = (performance.now() - start) / 1000;
  const grown = (ownMemory() - before) / 2 ** 20;
  const of = words(entries);
  const rows = [
    row(`filling a log on LMDB to ${of} entries, ${words(filling)} a commit`, {
      rate: Math.ceil(entries / 2) / seconds,
      note: "its second half",
    }),
    row(`memory grown by the second half of ${of} entries`, {
      value: grown,
      unit: "MiB",
      target: "<= 64 MiB",
      reached: grown <= 64,
    }),
    ...(await appendRows(small.ledger, large.ledger, of, quick, raw)),
    ...proofRows(large, of, quick ? 500 : 5000),
  ];
  for (const { ledger, store } of [small, large]) {
    await ledger.close();
    await store.close();
  }
  return [...rows, ...(await startRows(homes, of, quick ? 5 : 21))];
}

function newHome(folder, name) {
  const path = join(folder, name);
  mkdirSync(join(path, "data"), { recursive: true });
  writeFileSync(join(path, "data/orders.csv"), "id,amount\n1,5\n");
  exoarmur(path, "init");
  // The first start writes what every home's log begins with.
  act(path);
  return path;
}

function act(path) {
  const draft = { actor: "me", action: "table.stats", parameters: { path: "data/orders.csv" } };
  exoarmur(path, "run", JSON.stringify(draft), "-");
}

function exoarmur(cwd, command, input = "", ...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, command, ...args], {
    cwd,
    input,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`exoarmur ${command} ended with ${status}: ${stdout}${stderr}`);
}

async function openLog(path) {
  const home = join(path, ".exoarmur");
  const read = (name) => JSON.parse(readFileSync(join(home, name), "utf8"));
  const store = await openLmdbStore(join(home, "data"));
  const signer = signerFromSeed(Buffer.from(read("keys/log.key").seed, "base64"));
  const { origin } = read("trust.json").logs[0];
  return { store, ledger: await openLedger({ store, epoch: await store.acquire(), origin, signer }) };
}

const digestAt = (index) => digestOf(encodeUtf8(`entry ${index}`));

async function fillTo(ledger, size) {
  while (ledger.size < size) {
    await ledger.transact((tx) => {
      for (let left = Math.min(size - tx.size, filling); left > 0; left--) tx.appendLeaf("event", digestAt(tx.size));
    });
  }
}

/** Bytes this process has for itself. What it maps of LMDB's file is the system's cache and left out where that is told (Linux). */
function ownMemory() {
  for (let turn = 0; turn < 2; turn++) collect();
  try {
    return Number(/^RssAnon:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "latin1"))[1]) * 1024;
  } catch {
    return process.memoryUsage().rss;
  }
}

/** Both logs are appended to in turn, so that they meet the same disk. A group's cost is that of its flush and its entries. */
async function appendRows(small, large, of, quick, raw) {
  const rows = [];
  for (const at of [1, 64]) {
    const samples = [[], []];
    for (let round = quick ? 100 : 400; round > 0; round--) {
      for (const [which, ledger] of [small, large].entries()) {
        const append = () => ledger.transact((tx) => tx.appendLeaf("event", digestAt(tx.size)));
        const { each } = await concurrently(at, at, append);
        samples[which].push(each);
      }
    }
    const figures = (each) => ({
      value: median(each),
      unit: "ms",
      p99: quantile(each, 0.99),
      rate: 1000 / median(each),
    });
    const ratio = median(samples[1]) / median(samples[0]);
    const beside = median(samples[0]) / raw.each[at];
    rows.push(
      row(`append on LMDB, groups of ${at}, from 1,000 entries`, {
        ...figures(samples[0]),
        ratio: beside,
        peer: "raw",
      }),
      row(`append on LMDB, groups of ${at}, from ${of} entries`, {
        ...figures(samples[1]),
        ratio,
        peer: "at 1,000",
        target: "<= 1.2x",
        reached: ratio <= 1.2,
      }),
    );
  }
  return rows;
}

/** Proofs at scattered places of the log, leaves and nodes read from the store. */
function proofRows({ ledger, store }, of, count) {
  const { size } = ledger;
  const readNode = nodeReader(store);
  const { root } = readCheckpoint(ledger.checkpoint());
  const samples = { inclusionMade: [], inclusionChecked: [], consistencyMade: [], consistencyChecked: [] };
  const timed = (name, work) => {
    const start = performance.now();
    const result = work();
    samples[name].push(performance.now() - start);
    return result;
  };
  for (let i = 0; i < count; i++) {
    const index = (i * 7919) % size;
    const proof = timed("inclusionMade", () => ledger.prove(index));
    const leaf = ledger.leaf(index);
    const shown = timed("inclusionChecked", () => verifyInclusion({ index, size, leaf, proof, root }));
    const path = timed("consistencyMade", () => ledger.consistency(index + 1, size));
    const claim = { oldSize: index + 1, newSize: size, newRoot: root, proof: path };
    const oldRoot = rootFromNodes(index + 1, readNode);
    const grown = timed("consistencyChecked", () => verifyConsistency({ ...claim, oldRoot }));
    if (!shown || !grown) throw new Error(`a proof about entry ${index} of ${size} does not verify`);
  }
  const names = {
    inclusionMade: `inclusion proof at ${of} entries, produced`,
    inclusionChecked: "the same, verified",
    consistencyMade: `consistency proof to ${of} entries, produced`,
    consistencyChecked: "the same, verified",
  };
  return Object.entries(names).map(([key, name]) => {
    const value = median(samples[key]);
    const p99 = quantile(samples[key], 0.99);
    return row(name, { value, unit: "ms", p99, target: "<= 1 ms", reached: value <= 1 });
  });
}

/** The owner of each home starts, in turn: its store and log alone, and the whole command with one action. */
async function startRows(homes, of, rounds) {
  const opened = homes.map(() => []);
  const acted = homes.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [which, path] of homes.entries()) {
      const start = performance.now();
      const { ledger, store } = await openLog(path);
      opened[which].push(performance.now() - start);
      await ledger.close();
      await store.close();
      const command = performance.now();
      act(path);
      acted[which].push(performance.now() - command);
    }
  }
  const rowOf = (name, samples, which) => {
    const facts = { value: median(samples[which]), unit: "ms", p99: quantile(samples[which], 0.99) };
    if (which === 0) return row(`${name} 1,000 entries`, facts);
    const ratio = median(samples[1]) / median(samples[0]);
    const reached = facts.value <= 1000;
    return row(`${name} ${of} entries`, { ...facts, ratio, peer: "at 1,000", target: "<= 1 s", reached });
  };
  return [opened, acted].flatMap((samples, kind) =>
    homes.map((_path, which) =>
      rowOf(kind === 0 ? "store and log opened," : "exoarmur run, a whole process,", samples, which),
    ),
  );
}
