import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { canonicalize } from "../../src/canonical/jcs.js";
import type { Advice } from "../../src/contracts/advice.js";
import type { ApprovalRequest } from "../../src/contracts/approval.js";
import { payloadTypes, signEnvelope } from "../../src/contracts/dsse.js";
import { cedarOf, engine, schemaOf } from "../policy/cedar/support.js";
import { verified } from "../support/rig.js";
import { dropOrder, grant, killOrder, resolution } from "../support/sign.js";
import { keys } from "../support/world.js";
import { codeOf, openPlane, type Plane } from "./support.js";

let plane: Plane;
let agent: string;
let admin: string;
let approver: string;

beforeAll(async () => {
  plane = await openPlane();
  agent = plane.token({ kind: "agent", actor: { id: "report-agent", type: "agent" }, actions: ["fs.*"] });
  [admin, approver] = [await plane.login("admin"), await plane.login("approver")];
});
afterAll(async () => await plane.close());

let serial = 0;
const intent = (action: string, more: object = {}) => ({
  action,
  parameters: { path: `data/${serial++}.csv` },
  idempotencyKey: `key-${serial}`,
  ...more,
});

describe("an intent over HTTP", () => {
  it("is executed, shown, and its bundle verifies", async () => {
    const body = intent("fs.write", { parameters: { path: "data/a.csv", text: "a" } });
    const done = await plane.ask("/v1/intents", { token: agent, body });
    expect([done.status, done.json["status"]]).toEqual([200, "executed"]);
    const id = done.json["intentId"] as string;
    const shown = await plane.ask(`/v1/intents/${id}`, { token: agent });
    expect(shown.json).toMatchObject({
      intentId: id,
      tenantId: "default",
      actor: { id: "report-agent", type: "agent" },
      requester: { principal: "report-agent", method: "token" },
      action: "fs.write",
      target: "data/a.csv",
      state: "completed",
      result: done.json,
    });
    const bundle = await plane.ask(`/v1/intents/${id}/bundle`, { token: agent });
    expect(bundle.headers["content-type"]).toBe("application/vnd.exoarmur.proof+json");
    verified(new TextEncoder().encode(bundle.text), plane.rig.trust);
    const events = await plane.ask(`/v1/intents/${id}/events`, { token: admin });
    const types = (events.json["items"] as { eventType: string }[]).map(({ eventType }) => eventType);
    expect(types[0]).toBe("intent_received");
    expect(types.at(-1)).toBe("execution_completed");
  });

  it("a retry is the same intent and starts nothing", async () => {
    const body = intent("fs.write", { parameters: { path: "data/retry.csv", text: "a" } });
    const runs = plane.rig.sandbox.jobs.length;
    const first = await plane.ask("/v1/intents", { token: agent, body });
    const [second, third] = await Promise.all([0, 1].map(() => plane.ask("/v1/intents", { token: agent, body })));
    expect([second?.json, third?.json]).toEqual([first.json, first.json]);
    expect(plane.rig.sandbox.jobs.length).toBe(runs + 1);
    const other = { ...body, parameters: { path: "data/retry.csv", text: "b" } };
    expect(codeOf(await plane.ask("/v1/intents", { token: agent, body: other }))).toBe("409 EXO_IDEMPOTENCY_CONFLICT");
  });

  it("a denial is an answer, not an error", async () => {
    const denied = await plane.ask("/v1/intents", { token: agent, body: intent("fs.mkdir") });
    expect([denied.status, denied.json["status"]]).toEqual([200, "denied"]);
    expect(denied.json["reason"]).toMatchObject({ approvalCouldHelp: false });
    const { nextSteps } = denied.json["advice"] as Advice;
    expect(nextSteps.map(({ step, by }) => [step, by])).toEqual([
      ["ask_less", "agent"],
      ["allow_in_policy", "policy-author"],
    ]);
    const shown = await plane.ask(`/v1/intents/${String(denied.json["intentId"])}`, { token: agent });
    expect(shown.json["result"]).toEqual(denied.json);
  });

  it("submit, pending, review, sign, executed; the poll that waited is answered", async () => {
    const pending = await plane.ask("/v1/intents", { token: agent, body: intent("fs.remove") });
    expect([pending.status, pending.json["status"]]).toEqual([202, "approval_pending"]);
    const id = pending.json["intentId"] as string;
    const request = pending.json["approval"] as ApprovalRequest;
    const queue = await plane.ask("/v1/approvals", { token: approver });
    expect((queue.json["items"] as { request: ApprovalRequest }[])[0]?.request).toEqual(request);
    const review = await plane.ask(`/v1/approvals/${request.requestId}`, { token: approver });
    expect(review.json).toMatchObject({
      status: "pending",
      decisions: [],
      preview: { intentId: id, action: "fs.remove" },
    });
    const poll = plane.ask(`/v1/intents/${id}/wait?waitMs=30000`, { token: agent });
    const body = await grant(request, "alice", keys.alice);
    const path = `/v1/approvals/${request.requestId}/grants`;
    const decided = await plane.ask(path, { token: approver, body });
    expect([decided.status, decided.json["status"], decided.json["intentId"]]).toEqual([200, "executed", id]);
    expect((await poll).json).toEqual(decided.json);
    // The very same envelope again is a client that lost the answer.
    const again = await plane.ask(path, { token: approver, body });
    expect([again.status, again.json]).toEqual([200, decided.json]);
    expect(codeOf(await plane.ask(path, { token: approver, body: await grant(request, "alice", keys.alice) }))).toBe(
      "409 EXO_APPROVAL_SPENT",
    );
    const after = await plane.ask("/v1/approvals", { token: approver });
    expect(after.json["items"]).toEqual([]);
    const all = await plane.ask("/v1/approvals?status=spent", { token: approver });
    expect((all.json["items"] as object[]).length).toBe(1);
  });

  it("a deny with its reason ends it; a poll gives up after its time", async () => {
    const pending = await plane.ask("/v1/intents", { token: agent, body: intent("fs.remove") });
    const id = pending.json["intentId"] as string;
    const polled = await plane.ask(`/v1/intents/${id}/wait?waitMs=1`, { token: agent });
    expect([polled.status, polled.json]).toEqual([202, pending.json]);
    const request = pending.json["approval"] as ApprovalRequest;
    const body = await grant(request, "alice", keys.alice, { decision: "deny", reason: "not before the audit" });
    const denied = await plane.ask(`/v1/approvals/${request.requestId}/grants`, { token: approver, body });
    expect(denied.json).toMatchObject({ status: "denied", reason: { code: "EXO_APPROVAL_DENIED" } });
  });

  it("a grant for another request than the path's, and one by a key outside the roster, are refused", async () => {
    const [one, two] = [
      await plane.ask("/v1/intents", { token: agent, body: intent("fs.remove") }),
      await plane.ask("/v1/intents", { token: agent, body: intent("fs.remove") }),
    ].map(({ json }) => json["approval"] as ApprovalRequest);
    if (one === undefined || two === undefined) throw new Error("no request");
    const path = `/v1/approvals/${one.requestId}/grants`;
    const misplaced = await grant(two, "alice", keys.alice);
    expect(codeOf(await plane.ask(path, { token: approver, body: misplaced }))).toBe("400 EXO_ORDER");
    const forged = await grant(one, "alice", keys.mallory);
    expect(codeOf(await plane.ask(path, { token: approver, body: forged }))).toBe("422 EXO_TRUST");
    const tampered = { ...(await grant(one, "alice", keys.alice)), signatures: forged.signatures };
    expect((await plane.ask(path, { token: approver, body: tampered })).status).toBe(422);
    expect((await plane.ask(`/v1/approvals/${one.requestId}`, { token: approver })).json["status"]).toBe("pending");
  });

  it("an action in doubt is closed by a signed order for it, and by none for another", async () => {
    plane.rig.disk.onWrite = () => Promise.resolve("unknown");
    const body = intent("fs.write", { parameters: { path: "data/doubt.csv", text: "a" } });
    const doubt = await plane.ask("/v1/intents", { token: agent, body });
    plane.rig.disk.onWrite = null;
    expect(doubt.json).toMatchObject({ status: "in_doubt", reason: { code: "EXO_IN_DOUBT", retrySafe: false } });
    const id = String(doubt.json["intentId"]);
    const path = `/v1/intents/${id}/resolution`;
    const other = await resolution("01KA4X6F7J2Z8Q0V5N3T9RBCDE", "committed");
    expect(codeOf(await plane.ask(path, { token: admin, body: other }))).toBe("400 EXO_ORDER");
    const closed = await plane.ask(path, { token: admin, body: await resolution(id, "committed") });
    expect([closed.status, closed.json["status"]]).toEqual([200, "in_doubt"]);
    expect((await plane.ask(`/v1/intents/${id}`, { token: agent })).json["state"]).toBe("resolved");
    expect(codeOf(await plane.ask(path, { token: admin, body: await resolution(id, "committed") }))).toBe(
      "409 EXO_NOT_IN_DOUBT",
    );
  });

  it("polls of more agents than there are usual listeners raise no warning", async () => {
    const warned: Error[] = [];
    const note = (warning: Error) => void warned.push(warning);
    process.on("warning", note);
    const pending = await plane.ask("/v1/intents", { token: agent, body: intent("fs.remove") });
    const path = `/v1/intents/${String(pending.json["intentId"])}/wait?waitMs=50`;
    await Promise.all(Array.from({ length: 20 }, () => plane.ask(path, { token: agent })));
    process.off("warning", note);
    expect(warned.map(({ message }) => message)).toEqual([]);
  });

  it("the kill switch stops what follows, and only a signed order moves it", async () => {
    const on = await plane.ask("/v1/killswitch", { token: admin, body: await killOrder(true) });
    expect(on.json).toMatchObject({ global: true, killFile: false });
    const stopped = await plane.ask("/v1/intents", { token: agent, body: intent("fs.read") });
    expect(stopped.json).toMatchObject({ status: "denied", reason: { code: "EXO_KILL_SWITCH" } });
    const forged = await killOrder(false, {}, keys.alice);
    expect(codeOf(await plane.ask("/v1/killswitch", { token: admin, body: forged }))).toBe("422 EXO_TRUST");
    expect((await plane.ask("/v1/killswitch", { token: approver })).json["global"]).toBe(true);
    const off = await plane.ask("/v1/killswitch", { token: admin, body: await killOrder(false) });
    expect(off.json["global"]).toBe(false);
  });

  it.each([
    ["no key", { action: "fs.read", parameters: { path: "data/a.csv" } }, "400 EXO_SCHEMA"],
    ["another actor", intent("fs.read", { actor: "somebody-else" }), "403 EXO_FORBIDDEN"],
    [
      "another type of actor",
      intent("fs.read", { actor: { id: "report-agent", type: "person" } }),
      "403 EXO_FORBIDDEN",
    ],
    ["another tenant", intent("fs.read", { tenantId: "other" }), "403 EXO_FORBIDDEN"],
    ["an action outside the token", intent("http.get"), "403 EXO_FORBIDDEN"],
    ["the runtime's own correlation", intent("fs.read", { correlationId: "system" }), "403 EXO_FORBIDDEN"],
    ["an unknown member", intent("fs.read", { requester: "root" }), "400 EXO_SCHEMA"],
  ])("%s: refused", async (_what, body, code) => {
    const before = plane.rig.ledger.size;
    expect(codeOf(await plane.ask("/v1/intents", { token: agent, body }))).toBe(code);
    expect(plane.rig.ledger.size - before).toBeLessThanOrEqual(1);
  });
});

describe("lists", () => {
  it("page by page, newest first, each once", async () => {
    const ids: string[] = [];
    let cursor = "";
    do {
      const { json } = await plane.ask(`/v1/intents?limit=2${cursor}`, { token: admin });
      ids.push(...(json["items"] as { intentId: string }[]).map(({ intentId }) => intentId));
      cursor = json["nextCursor"] === null ? "" : `&cursor=${String(json["nextCursor"])}`;
    } while (cursor !== "");
    expect(ids).toEqual([...new Set(ids)].sort((a, b) => (a < b ? 1 : -1)));
    const whole = await plane.ask("/v1/intents", { token: admin });
    expect((whole.json["items"] as { intentId: string }[]).map(({ intentId }) => intentId)).toEqual(ids);
  });

  it.each([
    ["action=fs.remove", (item: Record<string, unknown>) => item["action"] === "fs.remove"],
    ["state=denied", (item: Record<string, unknown>) => item["state"] === "denied"],
    ["actorId=report-agent&tenantId=default", () => true],
  ])("?%s", async (query, holds) => {
    const items = (await plane.ask(`/v1/intents?${query}`, { token: admin })).json["items"] as Record<
      string,
      unknown
    >[];
    expect(items.length).toBeGreaterThan(0);
    expect(items.every(holds)).toBe(true);
  });

  it.each([
    "/v1/intents?action=fs.list",
    "/v1/intents?actorId=nobody",
    "/v1/intents?until=2026-01-31T09:00:00.000Z",
    "/v1/intents?from=2026-01-31T09:00:00.001Z",
    "/v1/intents?tenantId=other",
    "/v1/events?eventType=unheard_of",
    "/v1/events?tenantId=default&correlationId=unheard-of",
  ])("%s: nothing", async (path) => {
    const { json } = await plane.ask(path, { token: admin });
    expect([json["items"], json["nextCursor"]]).toEqual([[], null]);
  });

  it("events of a chain are in its order; those of the system are there for the whole cell", async () => {
    const { json } = await plane.ask("/v1/events?tenantId=default&correlationId=system", { token: admin });
    const items = json["items"] as { sequence: number; eventType: string }[];
    expect(items.map(({ sequence }) => sequence)).toEqual(items.map((_, index) => index));
    expect(items.map(({ eventType }) => eventType)).toContain("kill_switch_changed");
  });

  it.each([
    "/v1/intents?cursor=AAAA",
    "/v1/intents?limit=0",
    "/v1/intents?limit=101",
    "/v1/intents?limit=1&limit=2",
    "/v1/intents?state=unknown",
    "/v1/intents?from=yesterday",
    "/v1/intents?unknown=1",
    "/v1/intents/not-a-ulid",
    "/v1/intents/01KA4X6F7J2Z8Q0V5N3T9RBCDE/wait?waitMs=30001",
    "/v1/log/consistency?old=1",
    "/v1/log/proofs/-1",
    "/v1/log/proofs/1e3",
  ])("%s: EXO_SCHEMA", async (path) => {
    expect(codeOf(await plane.ask(path, { token: admin }))).toBe("400 EXO_SCHEMA");
  });

  it("a cursor is of one list, and says nothing of where it is", async () => {
    const { json } = await plane.ask("/v1/intents?limit=1", { token: admin });
    const cursor = String(json["nextCursor"]);
    const [item] = json["items"] as { intentId: string }[];
    expect(Buffer.from(cursor, "base64url").toString("latin1")).not.toContain(item?.intentId);
    expect(codeOf(await plane.ask(`/v1/events?cursor=${cursor}`, { token: admin }))).toBe("400 EXO_SCHEMA");
    const changed = `${cursor.startsWith("A") ? "B" : "A"}${cursor.slice(1)}`;
    expect(codeOf(await plane.ask(`/v1/intents?cursor=${changed}`, { token: admin }))).toBe("400 EXO_SCHEMA");
  });
});

describe("what was dropped from the store", () => {
  it("is shown as gone, in lists and alone, and nothing else with it", async () => {
    const one = await openPlane();
    try {
      const token = one.token({ kind: "agent", actor: { id: "report-agent", type: "agent" }, actions: ["*"] });
      const read = await one.ask("/v1/intents", {
        token,
        body: intent("fs.read", { parameters: { path: "data/orders.csv" } }),
      });
      const pending = await one.ask("/v1/intents", { token, body: intent("fs.remove") });
      const request = pending.json["approval"] as ApprovalRequest;
      await one.rig.pipeline.decide(await grant(request, "alice", keys.alice, { decision: "deny", reason: "no" }));
      await one.rig.pipeline.dropMaterials(await dropOrder());
      const { json } = await one.ask(`/v1/intents/${String(read.json["intentId"])}`, { token });
      expect(json).toMatchObject({ actor: { id: "report-agent" }, action: null, target: null });
      expect(json["result"]).toMatchObject({
        status: "executed",
        output: { kind: "json", value: null },
        outputDropped: true,
      });
      const reader = one.token({ kind: "viewer" });
      const list = await one.ask("/v1/intents", { token: reader });
      expect((list.json["items"] as { action: unknown }[]).map(({ action }) => action)).toEqual([null, null]);
      const shown = await one.ask(`/v1/approvals/${request.requestId}`, { token: reader });
      expect(shown.json).toMatchObject({ status: "denied", preview: null });
    } finally {
      await one.close();
    }
  });
});

describe("the state of the cell", () => {
  it("plugins, policy, checkpoint and proofs", async () => {
    const plugins = await plane.ask("/v1/plugins", { token: approver });
    expect(plugins.json).toMatchObject({ items: [{ name: "fs", signed: false }], refused: [] });
    const policy = await plane.ask("/v1/policy", { token: approver });
    expect(policy.json).toMatchObject({ policyId: "test", version: 1 });
    const checkpoint = await plane.ask("/v1/log/checkpoint", { token: agent });
    expect(checkpoint.text).toBe(plane.rig.ledger.checkpoint());
    const proof = await plane.ask("/v1/log/proofs/0?size=2", { token: approver });
    expect(proof.json["hashes"]).toEqual(
      plane.rig.ledger.prove(0, 2).map((hash) => Buffer.from(hash).toString("base64")),
    );
    const grown = await plane.ask("/v1/log/consistency?old=1&new=2", { token: approver });
    expect(grown.json["hashes"]).toEqual(
      plane.rig.ledger.consistency(1, 2).map((hash) => Buffer.from(hash).toString("base64")),
    );
    expect(codeOf(await plane.ask("/v1/log/proofs/100000", { token: approver }))).toBe("404 EXO_LOG_RANGE");
  });

  it("a policy in Cedar is shown as it is", async () => {
    const one = await openPlane({ rig: { cedar: () => Promise.resolve(engine) } });
    try {
      const cedarSchema = schemaOf(["fs.read"], "path: String");
      const document = cedarOf(`@id("read") permit(principal, action, resource);`, { version: 2, cedarSchema });
      await one.rig.pipeline.activatePolicy(
        await signEnvelope(payloadTypes.policy, canonicalize(document), keys.author),
      );
      const policy = await one.ask("/v1/policy", { token: one.token({ kind: "viewer" }) });
      expect([policy.json["version"], policy.json["document"]]).toEqual([2, document]);
    } finally {
      await one.close();
    }
  });

  it("whoami, sessions, and how one is ended", async () => {
    const session = await plane.login("approver");
    const who = await plane.ask("/v1/whoami", { token: session });
    expect(who.json).toEqual({
      name: "alice",
      credential: keys.alice.keyId,
      roles: ["viewer", "approver"],
      tenants: null,
      cellId: "local",
    });
    const { json } = await plane.ask("/v1/auth/sessions", { token: admin });
    const mine = (json["items"] as { sessionId: string; id: string }[]).filter(({ id }) => id === "alice").at(-1);
    await plane.ask(`/v1/auth/sessions/${mine?.sessionId}`, { token: admin, method: "DELETE" });
    expect(codeOf(await plane.ask("/v1/whoami", { token: session }))).toBe("401 EXO_AUTHENTICATION");
    const other = await plane.login("author");
    await plane.ask("/v1/auth/sessions/current", { token: other, method: "DELETE" });
    expect(codeOf(await plane.ask("/v1/whoami", { token: other }))).toBe("401 EXO_AUTHENTICATION");
  });

  it("an object that is not there, a path that is not, a method that is not", async () => {
    const nowhere = "/v1/intents/01KA4X6F7J2Z8Q0V5N3T9RBCDE";
    for (const path of [nowhere, `${nowhere}/wait`, `${nowhere}/bundle`, `${nowhere}/events`]) {
      expect(codeOf(await plane.ask(path, { token: admin }))).toBe("404 EXO_INTENT_UNKNOWN");
    }
    expect(codeOf(await plane.ask("/v2/intents", { token: admin }))).toBe("404 EXO_ROUTE");
    const put = await plane.ask("/v1/intents", { token: admin, method: "PUT" });
    expect([codeOf(put), put.headers["allow"]]).toEqual(["405 EXO_METHOD", "POST, GET"]);
  });
});
