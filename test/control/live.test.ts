import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { digestOf } from "../../src/canonical/digest.js";
import { canonicalize } from "../../src/canonical/jcs.js";
import type { TokenGrant } from "../../src/contracts/access.js";
import { eventSchema } from "../../src/contracts/event.js";
import { defaultLimits } from "../../src/control/desk.js";
import type { LiveLimits } from "../../src/control/live.js";
import { readLeaf } from "../../src/log/leaf.js";
import { eventKeys } from "../../src/pipeline/store-keys.js";
import { createMemoryStore } from "../../src/stores/memory.js";
import { draft } from "../support/rig.js";
import { killOrder } from "../support/sign.js";
import { type Follow, LiveReader } from "./live-reader.js";
import { codeOf, openPlane, type Plane, type PlaneOptions } from "./support.js";

const planes: Plane[] = [];
const readers: LiveReader[] = [];
let plane: Plane;

const limits = (more: Partial<LiveLimits>): PlaneOptions => ({ limits: { live: { ...defaultLimits.live, ...more } } });

async function open(options: PlaneOptions = {}): Promise<Plane> {
  plane = await openPlane(options);
  planes.push(plane);
  return plane;
}

beforeEach(async () => void (await open()));
afterEach(async () => {
  for (const reader of readers.splice(0)) reader.close();
  for (const one of planes.splice(0)) await one.close();
});

const agentOf = (id: string): TokenGrant => ({ kind: "agent", actor: { id, type: "agent" }, actions: ["*"] });

function follow(given: Follow): LiveReader {
  const reader = new LiveReader(plane.server.port, given);
  readers.push(reader);
  return reader;
}

/** A reader whose stream is open. */
async function ready(given: Follow): Promise<LiveReader> {
  return await follow(given).until(({ messages }) => messages.length > 0);
}

let serial = 0;
async function submit(token: string, path = `data/${serial}.csv`, on = plane): Promise<string> {
  serial += 1;
  const body = { action: "fs.read", parameters: { path }, idempotencyKey: `live-${serial}` };
  const { status, json, text } = await on.ask("/v1/intents", { token, body });
  if (status >= 300) throw new Error(text);
  return json["intentId"] as string;
}

/** Waits until a reader has been told of the whole log. */
async function caughtUp(reader: LiveReader): Promise<LiveReader> {
  const mark = await submit(plane.token(agentOf("marker")));
  await reader.until(({ events }) =>
    events.some(({ intentId, eventType }) => intentId === mark && eventType === "execution_failed"),
  );
  return reader;
}

describe("a live stream", () => {
  it("tells of every event as lists show it, in the order of the log, under the index of its leaf", async () => {
    const reader = await ready({ token: await plane.login("admin") });
    const size = plane.rig.ledger.size;
    expect(reader.messages[0]).toEqual({ event: "ready", id: size - 1, data: { size } });
    expect(reader.headers).toMatchObject({
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    });
    const agent = plane.token(agentOf("report-agent"));
    const intentIds = await Promise.all([1, 2, 3].map(() => submit(agent)));
    const traces = intentIds.map((intentId) => plane.rig.pipeline.trace(intentId));
    await reader.until(({ events }) => events.length === traces.flat().length);
    for (const trace of traces) {
      expect(reader.events.filter(({ intentId }) => intentId === trace[0]?.intentId)).toEqual(trace);
    }
    expect(reader.ids).toEqual([...reader.ids].sort((a, b) => (a ?? 0) - (b ?? 0)));
    for (const { id = -1, data } of reader.messages.slice(1)) {
      const { payload: _payload, salt: _salt, ...header } = eventSchema.parse(data);
      expect(readLeaf(plane.rig.ledger.leaf(id))).toEqual({ kind: "event", digest: digestOf(canonicalize(header)) });
    }
  });

  it.each(["header", "query"])("is taken up after the message that was seen last: %s", async (way) => {
    const admin = await plane.login("admin");
    const agent = plane.token(agentOf("report-agent"));
    const first = await ready({ token: admin });
    await submit(agent);
    await first.until(({ events }) => events.length >= 3);
    const [, second] = first.ids;
    first.close();
    await submit(agent);
    const again = await ready(
      way === "header" ? { token: admin, last: second ?? 0 } : { token: admin, query: `?after=${second}` },
    );
    expect(again.messages[0]?.id).toBe(second);
    await caughtUp(again);
    const all = await ready({ token: admin, last: first.messages[0]?.id ?? 0 });
    await caughtUp(all);
    expect(again.ids[0]).toBe(first.ids[2]);
    expect(again.ids).toEqual(all.ids.slice(2, 2 + again.ids.length));
  });

  it("the header wins over the query: it is what a browser sends by itself", async () => {
    const reader = await ready({ token: await plane.login("admin"), last: 1, query: "?after=3" });
    expect(reader.messages[0]).toMatchObject({ event: "ready", id: 1 });
  });

  it("says to load anew where the gap is too long, and goes on from now", async () => {
    await open(limits({ replay: 3 }));
    const admin = await plane.login("admin");
    await submit(plane.token(agentOf("report-agent")));
    const { size } = plane.rig.ledger;
    const short = await ready({ token: admin, last: size - 4 });
    expect(short.messages[0]?.event).toBe("ready");
    const long = await ready({ token: admin, last: size - 5 });
    expect(long.messages[0]).toEqual({ event: "reset", id: size - 1, data: { size } });
    await caughtUp(long);
    expect(Math.min(...long.ids.map(Number))).toBeGreaterThanOrEqual(size);
  });

  it("of another log, or an id nobody was given: load anew, and nothing of it is believed", async () => {
    const admin = await plane.login("admin");
    const { size } = plane.rig.ledger;
    for (const last of [size, size + 1000, Number.MAX_SAFE_INTEGER]) {
      const reader = await ready({ token: admin, last });
      expect(reader.messages[0]).toEqual({ event: "reset", id: size - 1, data: { size } });
    }
  });

  it.each(["-1", "1.5", "01", "x", "1,2", "9007199254740992", "1e3", "", " ", "0x10", "١"])(
    "an id that is none is refused: %j",
    async (last) => {
      const token = await plane.login("admin");
      const headers = { "last-event-id": last };
      if (/^[\x20-\x7e]*$/.test(last)) {
        expect(codeOf(await plane.ask("/v1/live", { token, headers }))).toBe("400 EXO_SCHEMA");
      }
      expect(codeOf(await plane.ask(`/v1/live?after=${encodeURIComponent(last)}`, { token }))).toBe("400 EXO_SCHEMA");
    },
  );

  it("beats while nothing happens, and a beat moves the place", async () => {
    await open(limits({ beatMs: 20 }));
    const other = plane.token({ kind: "viewer" }, "other");
    const reader = await ready({ token: other });
    await submit(plane.token(agentOf("report-agent")));
    const { size } = plane.rig.ledger;
    await reader.until(({ beats, last }) => beats >= 2 && last === size - 1);
    expect(reader.events).toEqual([]);
  });

  it("an event that cannot be read ends it, and is told in no words of the store", async () => {
    const reader = await ready({ token: await plane.login("admin") });
    const { rig } = plane;
    await rig.ledger.transact((tx) => {
      const [key = ""] = [...tx.range({ ...eventKeys.all, reverse: true })].map(([name]) => name);
      tx.put(key, new Uint8Array(3));
    });
    const again = await ready({ token: await plane.login("admin"), last: 0 });
    await again.until(({ messages }) => messages.at(-1)?.event === "end");
    expect(again.messages.at(-1)?.data).toMatchObject({ code: "EXO_STORE_DAMAGED" });
    await again.end();
    await caughtUp(reader);
  });
});

describe("who sees what", () => {
  it("a tenant's reader sees its tenant, never another's, and no event of the system", async () => {
    const mine = await ready({ token: plane.token({ kind: "viewer" }), last: 0 });
    const theirs = await ready({ token: plane.token({ kind: "viewer" }, "other"), last: 0 });
    const all = await ready({ token: await plane.login("admin"), last: 0 });
    await submit(plane.token(agentOf("report-agent")));
    await submit(plane.token(agentOf("report-agent"), "other"));
    const admin = await plane.login("admin");
    await plane.ask("/v1/killswitch", { token: admin, body: await killOrder(true) });
    await plane.ask("/v1/killswitch", { token: admin, body: await killOrder(false) });
    await Promise.all([caughtUp(mine), caughtUp(all)]);
    await submit(plane.token(agentOf("report-agent"), "other"), "data/last.csv");
    await theirs.until(({ events }) => events.filter(({ eventType }) => eventType === "execution_failed").length === 2);
    for (const [reader, tenant] of [
      [mine, "default"],
      [theirs, "other"],
    ] as const) {
      expect(reader.events.length).toBeGreaterThan(4);
      expect(reader.events.every(({ tenantId, intentId }) => tenantId === tenant && intentId !== null)).toBe(true);
    }
    expect(all.events.filter(({ eventType }) => eventType === "kill_switch_changed").length).toBeGreaterThan(1);
    const tenants = new Set(all.events.map(({ tenantId }) => tenantId));
    expect([...tenants].sort()).toEqual(["default", "other"]);
  });

  it("an agent sees what it handed in, not what others of its tenant did", async () => {
    const reader = await ready({ token: plane.token(agentOf("report-agent")), last: 0 });
    await submit(plane.token(agentOf("other-agent")));
    await plane.rig.pipeline.execute(draft("fs.read", "data/by-the-process"));
    const own = await submit(plane.token(agentOf("report-agent")));
    await reader.until(({ events }) => events.at(-1)?.eventType === "execution_failed");
    expect(new Set(reader.events.map(({ intentId }) => intentId))).toEqual(new Set([own]));
  });

  it.each([
    ["nobody", undefined, "401 EXO_AUTHENTICATION"],
    ["a monitor", { kind: "monitor" }, "403 EXO_FORBIDDEN"],
  ] as const)("%s gets none", async (_who, grant, code) => {
    const token = grant === undefined ? undefined : plane.token(grant);
    expect(codeOf(await plane.ask("/v1/live", { token }))).toBe(code);
  });

  it("another tenant by name is refused; one's own narrows what is shown", async () => {
    const other = plane.token({ kind: "viewer" }, "other");
    for (const tenant of ["default", "unheard-of"]) {
      const answer = await plane.ask(`/v1/live?tenantId=${tenant}`, { token: other });
      expect(codeOf(answer)).toBe("403 EXO_FORBIDDEN");
    }
    const reader = await ready({ token: await plane.login("admin"), query: "?tenantId=other&after=0" });
    await submit(plane.token(agentOf("report-agent")));
    await submit(plane.token(agentOf("report-agent"), "other"));
    await reader.until(({ events }) => events.some(({ eventType }) => eventType === "execution_failed"));
    expect(reader.events.every(({ tenantId }) => tenantId === "other")).toBe(true);
  });

  it("a token in the address opens nothing", async () => {
    const token = plane.token({ kind: "viewer" });
    expect(codeOf(await plane.ask(`/v1/live?token=${token}`))).toBe("401 EXO_AUTHENTICATION");
    expect(codeOf(await plane.ask(`/v1/live?access_token=${token}`, { token }))).toBe("400 EXO_SCHEMA");
  });
});

describe("a stream ends", () => {
  const revoke = (token: string): void => {
    const [, , id = ""] = token.split("_");
    const record = plane.tokens.get(id);
    if (record === undefined) throw new Error("no such token");
    plane.tokens.set(id, { ...record, revokedAt: record.createdAt });
  };

  it.each(["quiet", "busy"])("with its token, on a %s stream", async (how) => {
    await open(limits(how === "quiet" ? { beatMs: 20 } : { proveMs: 1000 }));
    const token = plane.token({ kind: "viewer" });
    const reader = await ready({ token });
    revoke(token);
    if (how === "busy") {
      // After the time in which it may go unseen, nothing more is shown.
      plane.rig.clock.advance(1000);
      await submit(plane.token(agentOf("report-agent")));
    }
    await reader.end();
    expect(reader.messages.map(({ event }) => event)).toEqual(["ready", "end"]);
    expect(reader.messages[1]?.data).toEqual({ code: "EXO_AUTHENTICATION", message: "the token was revoked" });
    expect(codeOf(await plane.ask("/v1/live", { token }))).toBe("401 EXO_AUTHENTICATION");
  });

  it("with its session: when that expires, when its holder closes it, when an admin does", async () => {
    await open(limits({ beatMs: 20 }));
    const admin = await plane.login("admin");
    const [closed, revoked] = [await plane.login("approver"), await plane.login("author")];
    const streams = await Promise.all([closed, revoked].map((token) => ready({ token })));
    await plane.ask("/v1/auth/sessions/current", { method: "DELETE", token: closed });
    await plane.ask(`/v1/auth/sessions/${revoked.split("_")[2]}`, { method: "DELETE", token: admin });
    for (const stream of streams) {
      await stream.end();
      expect(stream.messages.at(-1)).toMatchObject({ event: "end", data: { code: "EXO_AUTHENTICATION" } });
    }
    const last = await ready({ token: admin });
    plane.rig.clock.advance(900_001);
    await last.end();
    expect(last.messages.at(-1)?.data).toMatchObject({ code: "EXO_AUTHENTICATION" });
  });

  it("with a token that became another's, though its secret is the same", async () => {
    await open(limits({ beatMs: 20 }));
    const token = plane.token({ kind: "viewer" });
    const reader = await ready({ token, query: "?tenantId=default" });
    const [, , id = ""] = token.split("_");
    const record = plane.tokens.get(id);
    if (record !== undefined) plane.tokens.set(id, { ...record, tenantId: "other" });
    await reader.end();
    expect(reader.messages.at(-1)).toMatchObject({ event: "end", data: { code: "EXO_FORBIDDEN" } });
  });

  it("with the control plane, and closing waits for no reader", async () => {
    const token = plane.token({ kind: "viewer" });
    const [reader, slow] = [await ready({ token }), await ready({ token })];
    slow.pause();
    const began = performance.now();
    await plane.server.close();
    await reader.end();
    expect(reader.messages.at(-1)).toMatchObject({ event: "end", data: { code: "EXO_CLOSED" } });
    // The grace for requests under way is 10 s: nothing waited for it.
    expect(performance.now() - began).toBeLessThan(9000);
  });
});

describe("limits", () => {
  it("so many streams of one credential, and a closed one makes room", async () => {
    await open(limits({ streams: 2 }));
    const token = plane.token({ kind: "viewer" });
    const [first] = await Promise.all([ready({ token }), ready({ token })]);
    const refused = await plane.ask("/v1/live", { token });
    expect([codeOf(refused), refused.headers["retry-after"]]).toEqual(["429 EXO_RATE", "5"]);
    await ready({ token: plane.token({ kind: "viewer" }) });
    first?.close();
    await vi.waitFor(async () => {
      const { status } = await plane.ask("/v1/live", { token });
      expect(status).toBe(200);
    });
  });

  it("a stream is a request under way as long as it is open", async () => {
    await open({ limits: { inFlight: 1 } });
    const token = plane.token({ kind: "viewer" });
    const reader = await ready({ token });
    expect(codeOf(await plane.ask("/v1/whoami", { token }))).toBe("429 EXO_RATE");
    reader.close();
    await vi.waitFor(async () => expect((await plane.ask("/v1/whoami", { token })).status).toBe(200));
  });
});

describe("a restart", () => {
  it("loses nothing and doubles nothing, whatever is committed meanwhile", async () => {
    const store = createMemoryStore();
    await open({ rig: { store, seed: "first" } });
    const tenantToken = { kind: "viewer" } as const;
    let reader = await ready({ token: plane.token(tenantToken) });
    const from = plane.rig.ledger.size;
    const ids: number[] = [];
    const seeds = ["second", "third", "fourth"];
    // Deterministic, and different in every round: when the reader leaves, and how it comes back.
    let random = 20_26;
    const chance = (below: number): number => {
      random = (random * 48_271) % 2_147_483_647;
      return random % below;
    };
    for (const seed of [...seeds, ""]) {
      const agent = plane.token(agentOf("report-agent"));
      const other = plane.token(agentOf("report-agent"), "other");
      for (let round = 0; round < 6; round += 1) {
        const work = Promise.all([submit(agent), submit(other), submit(agent)]);
        const some = chance(9);
        await reader.until(({ ids: seen }) => seen.length >= some);
        if (chance(2) === 0) await work;
        ids.push(...reader.ids.map(Number));
        const { last } = reader;
        reader.close();
        await work;
        reader = await ready({ token: plane.token(tenantToken), last: last ?? -1 });
        expect(reader.messages[0]).toMatchObject({ event: "ready", id: last });
      }
      if (seed === "") break;
      ids.push(...reader.ids.map(Number));
      const { last } = reader;
      await planes.pop()?.close();
      await open({ rig: { store, seed, policyVersion: 2 + seeds.indexOf(seed) } });
      reader = await ready({ token: plane.token(tenantToken), last: last ?? -1 });
    }
    await caughtUp(reader);
    ids.push(...reader.ids.map(Number));
    const expected = await ready({ token: plane.token(tenantToken), last: from - 1 });
    await expected.until(({ ids: seen }) => seen.length >= ids.length);
    expect(ids).toEqual(expected.ids);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.length).toBeGreaterThan(100);
  });
});
