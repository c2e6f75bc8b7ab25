/** Folders that `log export` wrote, as they are and altered file by file. */
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "../../dist/canonical/digest.js";
import { signerFromSeed } from "../../dist/crypto/signer.js";
import { openLedger } from "../../dist/log/ledger.js";
import { openLmdbStore } from "../../dist/stores/lmdb.js";
import { run } from "./evidence.mjs";

/** More than two full tiles, so that there are tiles of two levels, full ones and partial ones. */
const sizes = [300, 600];

/** Cases of the check `tiles`, whose inputs are `{ folder, vkey }`. The folders are made in `scratch`. */
export async function tileCases(scratch) {
  const ours = newLog(join(scratch, "tiles"));
  const grown = join(scratch, "grown");
  const accept = [];
  for (const size of sizes) {
    await fill(ours, size);
    run(ours, ["log", "export", grown]);
    const kept = join(scratch, `export-${size}`);
    cpSync(grown, kept, { recursive: true });
    accept.push([`an export grown to ${size} entries`, kept]);
  }
  const fresh = join(scratch, "fresh");
  run(ours, ["log", "export", fresh]);
  accept.push(["an export made at once", fresh]);

  const theirs = newLog(join(scratch, "other"));
  await fill(theirs, sizes.at(-1));
  const other = join(scratch, "fresh-other");
  run(theirs, ["log", "export", other]);

  const { vkey } = JSON.parse(run(ours, ["log", "checkpoint", "--json"]));
  const ask = ([what, folder]) => [what, { folder, vkey }];
  return { accept: accept.map(ask), refuse: alteredFolders({ fresh, other, scratch }).map(ask) };
}

function newLog(folder) {
  mkdirSync(folder);
  run(folder, ["init"]);
  return folder;
}

/** Fills the log of a home as its owner does, but with entries that stand for nothing. */
async function fill(folder, size) {
  const home = join(folder, ".exoarmur");
  const read = (name) => JSON.parse(readFileSync(join(home, name), "utf8"));
  const store = await openLmdbStore(join(home, "data"));
  const signer = signerFromSeed(Buffer.from(read("keys/log.key").seed, "base64"));
  const { origin } = read("trust.json").logs[0];
  const ledger = await openLedger({ store, epoch: await store.acquire(), origin, signer });
  await ledger.transact((tx) => {
    while (tx.size < size) tx.appendLeaf("event", digestOf(Buffer.from(`${origin} ${tx.size}`)));
  });
  await ledger.close();
  await store.close();
}

/** Every file with a bit changed, cut, missing and of another log; and files in each other's place. */
function alteredFolders({ fresh, other, scratch }) {
  const files = readdirSync(fresh, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(fresh.length + 1));
  const changes = files.flatMap((file) => [
    [`${file} with its first bit changed`, (folder) => rewrite(join(folder, file), (bytes) => flip(bytes, 0))],
    [
      `${file} with a bit in its middle changed`,
      (folder) => rewrite(join(folder, file), (bytes) => flip(bytes, bytes.length >> 1)),
    ],
    [
      `${file} with a bit near its end changed`,
      (folder) => rewrite(join(folder, file), (bytes) => flip(bytes, bytes.length - 8)),
    ],
    [`${file} without its last 32 bytes`, (folder) => rewrite(join(folder, file), (bytes) => bytes.subarray(0, -32))],
    [`${file} missing`, (folder) => rmSync(join(folder, file))],
    [`${file} of another log`, (folder) => cpSync(join(other, file), join(folder, file))],
  ]);
  const exchanged = [
    ["tile/0/000", "tile/0/001"],
    ["tile/entries/000", "tile/entries/001"],
  ].map(([a, b]) => [
    `${a} and ${b} in each other's place`,
    (folder) => {
      const [one, two, aside] = [join(folder, a), join(folder, b), join(folder, "aside")];
      renameSync(one, aside);
      renameSync(two, one);
      renameSync(aside, two);
    },
  ]);
  return [...changes, ...exchanged].map(([what, change], at) => {
    const folder = join(scratch, `altered-${at}`);
    cpSync(fresh, folder, { recursive: true });
    change(folder);
    return [`an export with ${what}`, folder];
  });
}

function rewrite(file, change) {
  writeFileSync(file, change(readFileSync(file)));
}

function flip(bytes, at) {
  bytes[at] ^= 1;
  return bytes;
}
