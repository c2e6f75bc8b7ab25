import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { TokenGrant } from "../../src/contracts/access.js";
import type { ApprovalHead, IntentHead } from "../../src/contracts/control.js";
import type { CanonicalEvent } from "../../src/contracts/event.js";
import { droppableRoles } from "../../src/contracts/retention.js";
import { fillPositions } from "../../src/pipeline/fill-positions.js";
import { positions } from "../../src/pipeline/positions.js";
import { positionKeys } from "../../src/pipeline/store-keys.js";
import { createMemoryStore } from "../../src/stores/memory.js";
import { draft } from "../support/rig.js";
import { dropOrder, grant } from "../support/sign.js";
import { keys } from "../support/world.js";
import { codeOf, openPlane, type Plane, type PlaneOptions } from "./support.js";

let plane: Plane;
const planes: Plane[] = [];

async function open(options: PlaneOptions = {}): Promise<void> {
  plane = await openPlane(options);
  planes.push(plane);
}
beforeEach(async () => await open());
afterEach(async () => {
  for (const one of planes.splice(0)) await one.close();
});

const viewer = { kind: "viewer" } as const;
const agentOf = (id: string): TokenGrant => ({ kind: "agent", actor: { id, type: "agent" }, actions: ["*"] });

let serial = 0;
/** Hands an intent in, at a later time than the one before. */
async function submit(token: string, action: string, path: string, more: object = {}): Promise<string> {
  plane.rig.clock.advance(1000);
  serial += 1;
  const body = { action, parameters: { path }, idempotencyKey: `search-${serial}`, ...more };
  const { json, text } = await plane.ask("/v1/intents", { token, body });
  if (json["intentId"] === undefined) throw new Error(text);
  return json["intentId"] as string;
}

type Listed<T> = { readonly pages: T[][]; readonly items: T[] };

/** A list to its end. */
async function list<T>(path: string, token: string, first = ""): Promise<Listed<T>> {
  const pages: T[][] = [];
  for (let cursor: unknown = first; cursor !== null; ) {
    const more = cursor === "" ? "" : `${path.includes("?") ? "&" : "?"}cursor=${String(cursor)}`;
    const { json, status, text } = await plane.ask(`${path}${more}`, { token });
    if (status !== 200) throw new Error(text);
    pages.push(json["items"] as T[]);
    cursor = json["nextCursor"];
  }
  return { pages, items: pages.flat() };
}

const idsOf = async (query: string, token: string): Promise<string[]> =>
  (await list<IntentHead>(`/v1/intents${query}`, token)).items.map(({ intentId }) => intentId);

describe("intents", () => {
  it("are found by words in id, correlation, actor, action, target and tenant, in any case, all of them", async () => {
    const token = plane.token(viewer);
    const [one, two] = [plane.token(agentOf("report-agent")), plane.token(agentOf("billing-agent"))];
    const a = await submit(one, "fs.read", "data/Invoices-2026.csv", { correlationId: "month-end-42" });
    const b = await submit(two, "fs.remove", "data/invoices-2025.csv");
    const c = await submit(two, "fs.mkdir", "data/elsewhere");
    const found = async (q: string): Promise<string[]> => await idsOf(`?q=${encodeURIComponent(q)}`, token);
    expect(await found("invoices")).toEqual([b, a]);
    expect(await found("INVOICES  2026")).toEqual([a]);
    expect(await found("Month-END")).toEqual([a]);
    expect(await found("billing")).toEqual([c, b]);
    expect(await found("billing fs.remove")).toEqual([b]);
    expect(await found(c.toLowerCase())).toEqual([c]);
    expect(await found("default")).toEqual([c, b, a]);
    expect(await found("   ")).toEqual([c, b, a]);
    for (const q of ["nowhere", "invoices nowhere", "billing month-end", "invoices\u0000", "*", ".*", "%"]) {
      expect(await found(q)).toEqual([]);
    }
  });

  it("come by the time they were recorded, whatever ids their agents chose", async () => {
    const [token, agent] = [plane.token(viewer), plane.token(agentOf("report-agent"))];
    const order: string[] = [];
    for (const intentId of ["7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "00000000000000000000000001", undefined]) {
      const more = intentId === undefined ? {} : { intentId };
      order.unshift(await submit(agent, "fs.read", `data/${order.length}`, more));
    }
    expect(await idsOf("", token)).toEqual(order);
    expect(await idsOf("?limit=1", token)).toEqual(order);
  });

  it("are narrowed by tenant, actor, action, state and time, together with words", async () => {
    const token = await plane.login("admin");
    const [one, two] = [plane.token(agentOf("report-agent")), plane.token(agentOf("billing-agent"), "other")];
    const denied = await submit(one, "fs.mkdir", "data/a");
    const between = plane.rig.clock.now();
    const failed = await submit(one, "fs.read", "data/a");
    const pending = await submit(two, "fs.remove", "data/a");
    const from = new Date(between + 1).toISOString();
    for (const [query, expected] of [
      ["?state=denied", [denied]],
      ["?state=failed", [failed]],
      ["?state=pending", [pending]],
      ["?state=completed", []],
      ["?tenantId=other", [pending]],
      ["?actorId=report-agent", [failed, denied]],
      ["?actorId=report", []],
      ["?action=fs.read", [failed]],
      ["?action=fs.rea", []],
      [`?from=${from}`, [pending, failed]],
      [`?until=${from}`, [denied]],
      ["?q=data&state=failed&actorId=report-agent&action=fs.read&tenantId=default", [failed]],
      ["?q=data&state=failed&actorId=billing-agent", []],
    ] as const) {
      expect([query, await idsOf(query, token)]).toEqual([query, expected]);
    }
  });

  it("follow what becomes of them", async () => {
    const [token, agent] = [plane.token(viewer), plane.token(agentOf("report-agent"))];
    const id = await submit(agent, "fs.remove", "data/a");
    expect(await idsOf("?state=pending", token)).toEqual([id]);
    const { items } = await list<ApprovalHead>("/v1/approvals", token);
    const request = items[0]?.request;
    if (request === undefined) throw new Error("no request");
    const body = await grant(request, "alice", keys.alice);
    await plane.ask(`/v1/approvals/${request.requestId}/grants`, { token: await plane.login("approver"), body });
    expect(await idsOf("?state=pending", token)).toEqual([]);
    expect(await idsOf("?state=completed", token)).toEqual([id]);
  });

  it("that were dropped are not found by what they held, in memory or out of the store", async () => {
    const [token, agent] = [plane.token(viewer), plane.token(agentOf("report-agent"))];
    const id = await submit(agent, "fs.read", "data/secret-name.csv");
    const other = await submit(agent, "fs.read", "data/secret-name-2.csv");
    expect(await idsOf("?q=secret", token)).toEqual([other, id]);
    await plane.rig.pipeline.dropMaterials(
      await dropOrder({ intentIds: [id], endedBefore: null, roles: [...droppableRoles] }),
    );
    await submit(agent, "fs.read", "data/later.csv");
    expect(await idsOf("?q=secret", token)).toEqual([other]);
    expect(await idsOf(`?q=${id}`, token)).toEqual([id]);
    expect(await idsOf("?action=fs.read&q=report", token)).not.toContain(id);
    await open({ rig: { store: plane.rig.store, seed: "again", policyVersion: 2 } });
    expect(await idsOf("?q=secret", plane.token(viewer))).toEqual([other]);
  });

  it.each([0, 3, 100])("pages are full and hold each once, with %s in memory", async (indexed) => {
    await open({ limits: { indexed } });
    const [token, agent] = [plane.token(viewer), plane.token(agentOf("report-agent"))];
    const other = plane.token(agentOf("report-agent"), "other");
    const all: string[] = [];
    for (let round = 0; round < 9; round += 1) {
      all.unshift(await submit(agent, round % 3 === 0 ? "fs.read" : "fs.mkdir", `data/${round}`));
      await submit(other, "fs.read", `data/${round}`);
      // Filled while there is nothing yet, then kept up.
      if (round === 2) expect(await idsOf("", token)).toEqual(all);
    }
    const { pages } = await list<IntentHead>("/v1/intents?limit=4", token);
    expect(pages.map((page) => page.length)).toEqual([4, 4, 1]);
    expect(pages.flat().map(({ intentId }) => intentId)).toEqual(all);
    expect((await list("/v1/intents?limit=2&action=fs.read", token)).pages.map((page) => page.length)).toEqual([2, 1]);
  });

  it("a page goes on where it was, though more came in and older ones left memory", async () => {
    await open({ limits: { indexed: 4 } });
    const [token, agent] = [plane.token(viewer), plane.token(agentOf("report-agent"))];
    const all: string[] = [];
    for (let round = 0; round < 6; round += 1) all.unshift(await submit(agent, "fs.read", `data/${round}`));
    const first = await plane.ask("/v1/intents?limit=2", { token });
    for (let round = 0; round < 6; round += 1) await submit(agent, "fs.read", `data/new-${round}`);
    const seen = (first.json["items"] as IntentHead[]).map(({ intentId }) => intentId);
    const rest = await list<IntentHead>("/v1/intents?limit=2", token, String(first.json["nextCursor"]));
    seen.push(...rest.items.map(({ intentId }) => intentId));
    expect(seen).toEqual(all);
  });

  it("of a store from before positions were kept are all there", async () => {
    const agent = plane.token(agentOf("report-agent"));
    const all = [await submit(agent, "fs.read", "data/a"), await submit(agent, "fs.read", "data/b")].reverse();
    const { store, ledger } = plane.rig;
    await ledger.transact((tx) => {
      for (const { index } of [...positions(store, { from: 0, until: ledger.size })])
        tx.delete(positionKeys.one(index));
    });
    await open({ rig: { store, seed: "again", policyVersion: 2 } });
    expect(await idsOf("", plane.token(viewer))).toEqual(all);
    expect(await fillPositions(plane.rig.store, plane.rig.ledger)).toBe(0);
  });
});

describe("search across tenants", () => {
  it("finds nothing of another tenant, whatever word is tried", async () => {
    const [mine, theirs] = [plane.token(viewer), plane.token(viewer, "other")];
    const id = await submit(plane.token(agentOf("report-agent")), "fs.read", "data/private.csv", {
      correlationId: "merger",
    });
    const words = [id, "private", "merger", "report-agent", "fs.read", "default", "data", ""];
    for (const word of words) {
      const query = word === "" ? "" : `?q=${word}`;
      expect(await idsOf(query, theirs)).toEqual([]);
      expect(await idsOf(query, mine)).toEqual([id]);
      expect(codeOf(await plane.ask(`/v1/intents?tenantId=default&q=${word || "a"}`, { token: theirs }))).toBe(
        "403 EXO_FORBIDDEN",
      );
    }
  });

  it("an agent finds what it handed in, and not what others of its name or tenant did", async () => {
    const [one, two] = [plane.token(agentOf("report-agent")), plane.token(agentOf("billing-agent"))];
    const own = await submit(one, "fs.read", "data/own.csv");
    await submit(two, "fs.read", "data/theirs.csv");
    await submit(plane.token(agentOf("report-agent"), "other"), "fs.read", "data/theirs.csv");
    await plane.rig.pipeline.execute(draft("fs.read", "data/of-the-process.csv"));
    for (const query of ["", "?q=data", "?q=csv&state=failed"]) expect(await idsOf(query, one)).toEqual([own]);
  });

  it.each([
    ["of nothing", "?q="],
    ["of too much", `?q=${"a".repeat(201)}`],
    ["given twice", "?q=a&q=b"],
    ["with a cursor of another list", "?q=a&cursor=EVENTS"],
    ["with a cursor that was made up", "?q=a&cursor=MTIz"],
    ["with a limit beyond a page", "?q=a&limit=101"],
    ["by a state there is none of", "?state=running"],
  ])("%s: refused", async (_what, query) => {
    await submit(plane.token(agentOf("report-agent")), "fs.read", "data/a");
    const token = plane.token(viewer);
    const { json } = await plane.ask("/v1/events?limit=1", { token });
    const path = `/v1/intents${query.replace("EVENTS", String(json["nextCursor"]))}`;
    expect(codeOf(await plane.ask(path, { token }))).toBe("400 EXO_SCHEMA");
  });
});

describe("events", () => {
  const eventsOf = async (query: string, token: string): Promise<CanonicalEvent[]> =>
    (await list<CanonicalEvent>(`/v1/events${query}`, token)).items;

  it("come newest first, in the order of the log, page by page", async () => {
    const token = await plane.login("admin");
    await submit(plane.token(agentOf("report-agent")), "fs.read", "data/a");
    await submit(plane.token(agentOf("report-agent"), "other"), "fs.read", "data/a");
    const { store, ledger } = plane.rig;
    const expected = [...positions(store, { from: 0, until: ledger.size, reverse: true })];
    const { pages, items } = await list<CanonicalEvent>("/v1/events?limit=4", token);
    expect(items.map(({ eventType }) => eventType)).toEqual(expected.map(({ eventType }) => eventType));
    expect(new Set(items.map(({ eventId }) => eventId)).size).toBe(items.length);
    expect(pages.slice(0, -1).every((page) => page.length === 4)).toBe(true);
  });

  it("are narrowed, and one chain comes in its own order", async () => {
    const token = plane.token(viewer);
    const id = await submit(plane.token(agentOf("report-agent")), "fs.read", "data/a", { correlationId: "one" });
    await submit(plane.token(agentOf("report-agent")), "fs.read", "data/b", { correlationId: "two" });
    const trace = plane.rig.pipeline.trace(id);
    expect(await eventsOf("?correlationId=one&tenantId=default", token)).toEqual(trace);
    expect(await eventsOf("?correlationId=one", token)).toEqual([...trace].reverse());
    const types = new Set((await eventsOf("?eventType=intent_received", token)).map(({ eventType }) => eventType));
    expect([...types]).toEqual(["intent_received"]);
    expect(await eventsOf("?eventType=intent_receive", token)).toEqual([]);
    expect(await eventsOf("?actorId=nobody", token)).toEqual([]);
    expect(await eventsOf(`?from=${trace[0]?.recordedAt}&correlationId=one&eventType=policy_changed`, token)).toEqual(
      [],
    );
  });

  it("of another tenant and of the system are nobody's but theirs", async () => {
    await submit(plane.token(agentOf("report-agent")), "fs.read", "data/a");
    const theirs = plane.token(viewer, "other");
    for (const query of ["", "?eventType=intent_received", "?eventType=policy_changed", "?correlationId=system"]) {
      expect(await eventsOf(query, theirs)).toEqual([]);
    }
    const mine = await eventsOf("", plane.token(viewer));
    expect(mine.length).toBeGreaterThan(2);
    expect(mine.every(({ tenantId, intentId }) => tenantId === "default" && intentId !== null)).toBe(true);
  });

  it("a page looks at a bounded stretch, and its cursor goes on", async () => {
    await open({ limits: { scanEvents: 22 } });
    for (let round = 0; round < 3; round += 1) {
      await submit(plane.token(agentOf("report-agent")), "fs.read", `data/${round}`);
    }
    const { pages, items } = await list<CanonicalEvent>("/v1/events?actorId=nobody", await plane.login("admin"));
    expect(items).toEqual([]);
    expect(pages.length).toBeGreaterThan(5);
  });
});

describe("approvals that wait", () => {
  it("are on the first page, however many others there are", async () => {
    await open({ limits: { scan: 1 } });
    const agent = plane.token(agentOf("report-agent"));
    const approver = await plane.login("approver");
    const waiting = async (token = approver, query = ""): Promise<Listed<ApprovalHead>> =>
      await list<ApprovalHead>(`/v1/approvals${query}`, token);
    const first = await submit(agent, "fs.remove", "data/first");
    for (let round = 0; round < 3; round += 1) {
      const id = await submit(agent, "fs.remove", `data/${round}`);
      const request = (await waiting()).items.find((head) => head.request.intentId === id)?.request;
      if (request === undefined) throw new Error("no request");
      const body = await grant(request, "alice", keys.alice);
      await plane.ask(`/v1/approvals/${request.requestId}/grants`, { token: approver, body });
    }
    const last = await submit(agent, "fs.remove", "data/last");
    const { pages, items } = await waiting();
    expect(pages.length).toBe(1);
    expect(items.map(({ request }) => request.intentId)).toEqual([last, first]);
    expect((await waiting(approver, "?limit=1")).pages.map((page) => page.length)).toEqual([1, 1]);
    expect((await waiting(plane.token(viewer, "other"))).items).toEqual([]);
    const cursor = (await plane.ask("/v1/approvals?limit=1", { token: approver })).json["nextCursor"];
    const elsewhere = await plane.ask(`/v1/approvals?status=any&cursor=${String(cursor)}`, { token: approver });
    expect(codeOf(elsewhere)).toBe("400 EXO_SCHEMA");
  });
});

describe("a store that is read by a newer process", () => {
  it("has the same lists as before", async () => {
    const store = createMemoryStore();
    await open({ rig: { store } });
    const agent = plane.token(agentOf("report-agent"));
    for (const path of ["data/a", "data/b"]) await submit(agent, "fs.read", path);
    const before = await list<IntentHead>("/v1/intents", plane.token(viewer));
    await planes.pop()?.close();
    await open({ rig: { store, seed: "again", policyVersion: 2 } });
    expect(await list<IntentHead>("/v1/intents", plane.token(viewer))).toEqual(before);
  });
});
