import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, expect, it } from "vitest";
import { defaultLimits } from "../../src/control/desk.js";
import { positions } from "../../src/pipeline/positions.js";
import { LiveReader } from "../control/live-reader.js";
import { openPlane, type Plane } from "../control/support.js";
import { draft } from "../support/rig.js";

/** Sockets that stop reading, and what is recorded meanwhile: far more than a system keeps for a connection. */
const sockets = 40;
const intents = 2500;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Bytes in use, garbage apart. */
function held(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

let plane: Plane;
beforeAll(async () => {
  const live = { ...defaultLimits.live, streams: sockets, replay: 1_000_000, beatMs: 2000 };
  plane = await openPlane({ limits: { live } });
});
afterAll(async () => await plane.close());

const what = "sockets that are not read are not written for: they are cut off, and find everything when they come back";

it(what, { timeout: 180_000 }, async () => {
  const token = plane.token({ kind: "viewer" });
  const from = plane.rig.ledger.size - 1;
  const open = async (last: number): Promise<LiveReader> =>
    await new LiveReader(plane.server.port, { token, last }).until(({ messages }) => messages.length > 0);
  const readers = await Promise.all(Array.from({ length: sockets }, () => open(from)));
  for (const reader of readers) reader.pause();
  const before = held();
  let bytes = 0;
  for (let at = 0; at < intents; at += 100) {
    const paths = Array.from({ length: 100 }, (_, lane) => `data/${at + lane}`);
    const done = await Promise.all(paths.map((path) => plane.rig.pipeline.execute(draft("fs.mkdir", path))));
    for (const { intentId } of done) bytes += JSON.stringify(plane.rig.pipeline.trace(intentId)).length;
  }
  const grown = held() - before;
  // For each of them a copy would be this much; the store in memory holds a few times one copy.
  const copies = bytes * sockets;
  expect(copies).toBeGreaterThan(200_000_000);
  expect(grown).toBeLessThan(copies / 4);
  const monitor = plane.token({ kind: "monitor" });
  const isOpen = async (): Promise<boolean> =>
    !(await plane.ask("/v1/metrics", { token: monitor })).text.includes("\nexoarmur_live_streams 0\n");
  while (await isOpen()) await new Promise((resolve) => setTimeout(resolve, 200));
  for (const reader of readers) reader.close();
  const { store, ledger } = plane.rig;
  const expected = [...positions(store, { from: from + 1, until: ledger.size })].map(({ index }) => index);
  const again = await open(from);
  await again.until(({ last }) => last === expected.at(-1));
  expect(again.ids).toEqual(expected);
  again.close();
});
