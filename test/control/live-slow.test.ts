import { setMaxListeners } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Feed } from "../../src/control/feed.js";
import { type Live, LiveStreams } from "../../src/control/live.js";
import type { Principal } from "../../src/control/principal.js";
import { draft, openRig, type Rig } from "../support/rig.js";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const principal: Principal = {
  ...{ name: "reader", credential: "reader", roles: new Set(["viewer"] as const), tenants: null },
  ...{ sessionId: null, agent: null },
};

let streams: LiveStreams;
let feed: Feed;
let hungUp: number;
let closing: AbortController;
afterEach(() => feed.close());

async function open(beatMs: number): Promise<Rig> {
  const rig = await openRig();
  const logger = { log: () => undefined };
  feed = new Feed({ store: rig.store, ledger: rig.ledger, logger });
  hungUp = 0;
  const limits = { streams: 2000, replay: 1_000_000, beatMs, proveMs: 1000 };
  closing = new AbortController();
  setMaxListeners(0, closing.signal);
  const ports = { feed, store: rig.store, clock: rig.clock, logger, limits, closing: closing.signal };
  streams = new LiveStreams(ports);
  return rig;
}

function follow(after?: number): Live {
  const { signal } = closing;
  const prove = async (): Promise<Principal> => principal;
  return streams.open({ principal, after, prove, shown: () => () => true, signal, hangUp: () => (hungUp += 1) });
}

/** Records so many intents, of three events or more each. */
async function record({ pipeline }: Rig, count: number): Promise<void> {
  for (let at = 0; at < count; at += 1) await pipeline.execute(draft("fs.mkdir", `data/${at}`));
}

function heap(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

describe("a thousand readers who take nothing", () => {
  it("hold nothing of what is recorded, and each finds all of it when it reads again", async () => {
    const rig = await open(60_000);
    const from = rig.ledger.size - 1;
    const lives = Array.from({ length: 1000 }, () => follow(from));
    const readers = lives.map(({ body }) => body.getReader());
    for (const reader of readers) await reader.read();
    expect(streams.count).toBe(1000);
    const before = heap();
    await record(rig, 300);
    const recorded = heap() - before;
    const bytes = 1000 * 300 * 3 * 1000;
    // A thousand copies would be close to a gigabyte; the store in memory holds one.
    expect(recorded).toBeLessThan(bytes / 20);
    const ids: number[] = [];
    while (ids.at(-1) !== rig.ledger.size - 1) {
      const { value } = (await readers[500]?.read()) ?? {};
      for (const [, id] of new TextDecoder().decode(value).matchAll(/^id: (\d+)$/gm)) ids.push(Number(id));
      // Bundles have leaves of their own.
      if (rig.ledger.size - 1 - (ids.at(-1) ?? 0) < 2) break;
    }
    expect(ids.length).toBeGreaterThan(900);
    for (const reader of readers) await reader.cancel();
    await Promise.all(lives.map(({ ended }) => ended));
    expect(streams.count).toBe(0);
  });

  it("are cut off after two looks, and leave nothing behind", async () => {
    await open(10);
    const lives = Array.from({ length: 50 }, () => follow());
    for (const { body } of lives.slice(0, 25)) await body.getReader().read();
    await Promise.all(lives.map(({ ended }) => ended));
    expect([hungUp, streams.count]).toEqual([50, 0]);
  });

  it("are cut off at once when the control plane closes; who reads is told why", async () => {
    await open(60_000);
    const [slow, quick] = [follow(), follow()];
    await slow.body.getReader().read();
    const reader = quick.body.getReader();
    await reader.read();
    const next = reader.read();
    await new Promise((resolve) => setImmediate(resolve));
    closing.abort();
    await slow.ended;
    expect(hungUp).toBe(1);
    expect(new TextDecoder().decode((await next).value)).toContain('event: end\ndata: {"code":"EXO_CLOSED"');
    expect((await reader.read()).done).toBe(true);
    await quick.ended;
    expect([hungUp, streams.count]).toEqual([1, 0]);
  });

  it("a reader who takes what comes is not cut off, however little comes", async () => {
    await open(10);
    const live = follow();
    const reader = live.body.getReader();
    await reader.read();
    for (let beats = 0; beats < 8; beats += 1) {
      const { value } = await reader.read();
      expect(new TextDecoder().decode(value)).toMatch(/^: beat\n/);
    }
    expect(hungUp).toBe(0);
    await reader.cancel();
    await vi.waitFor(() => expect(streams.count).toBe(0));
  });
});
