// A process of its own for the tests of the LMDB store: `node child.mjs DIST FOLDER MODE`.
import { writeSync } from "node:fs";

const [, , dist, folder, mode] = process.argv;
const { openLmdbStore } = await import(`${dist}/stores/lmdb.js`);
const say = (line) => writeSync(1, `${line}\n`);
const store = await openLmdbStore(folder);
const epoch = await store.acquire();
const commit = async (key) => {
  try {
    await store.commit([{ key, value: new Uint8Array(2_700).fill(key.length) }], epoch);
    say(`ack ${key}`);
  } catch (error) {
    say(`${error.code} ${key} ${error.message}`);
  }
};

if (mode === "write") {
  say(`epoch ${epoch}`);
  for (let at = 0; at < 5; at += 1) await commit(`k/${at}`);
  await store.close();
} else if (mode === "own") {
  await commit("first");
  process.stdin.once("data", () => {
    void commit("second").then(() => process.stdin.once("data", () => process.exit(0)));
  });
} else if (mode === "die") {
  await commit("kept");
  void commit("perhaps");
  process.kill(process.pid, "SIGKILL");
}
