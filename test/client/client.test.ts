import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Client, createClient } from "../../src/client/client.js";
import { login } from "../../src/client/login.js";
import { openPlane, type Plane } from "../control/support.js";
import { verified } from "../support/rig.js";
import { grant } from "../support/sign.js";
import { keys, seededEntropy } from "../support/world.js";

/** A connection that fails as it is told to, in front of a control plane. */
type Fault = "drop_request" | "drop_answer" | "busy" | "rate" | "html";

let plane: Plane;
let proxy: Server;
let faults: Fault[];
let seen: string[];
let origin: string;

const patience = { attempts: 4, firstMs: 1, mostMs: 4 };

beforeEach(async () => {
  plane = await openPlane();
  [faults, seen] = [[], []];
  proxy = createServer((incoming, outgoing) => void forward(incoming, outgoing));
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
});
afterEach(async () => {
  proxy.closeAllConnections();
  await new Promise((resolve) => proxy.close(resolve));
  await plane.close();
});

async function forward(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  seen.push(`${incoming.method} ${incoming.url?.split("?")[0]} ${body.toString().slice(0, 4000)}`);
  const fault = faults.shift();
  if (fault === "drop_request") return void outgoing.destroy();
  if (fault === "busy") return void outgoing.writeHead(503, { "content-type": "text/html" }).end("<p>busy</p>");
  if (fault === "rate") return void outgoing.writeHead(429).end();
  if (fault === "html") return void outgoing.writeHead(200, { "content-type": "text/html" }).end("<p>a portal</p>");
  const { authorization } = incoming.headers;
  const answer = await fetch(`http://127.0.0.1:${plane.server.port}${incoming.url}`, {
    method: incoming.method ?? "GET",
    headers: {
      ...(authorization === undefined ? {} : { authorization }),
      ...(body.length === 0 ? {} : { "content-type": "application/json" }),
    },
    ...(body.length === 0 ? {} : { body }),
  });
  const bytes = Buffer.from(await answer.arrayBuffer());
  if (fault === "drop_answer") return void outgoing.destroy();
  outgoing.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "" }).end(bytes);
}

function agent(options: { pollMs?: number } = {}): Client {
  const token = plane.token({ kind: "agent", actor: { id: "report-agent", type: "agent" }, actions: ["fs.*"] });
  return createClient({ origin, token, patience, entropy: seededEntropy("client"), ...options });
}

const write = { action: "fs.write", parameters: { path: "data/a.csv", text: "a" } } as const;

describe("execute", () => {
  it("gives the result that the runtime gives, and its bundle verifies", async () => {
    const result = await agent().execute(write);
    if (result.status !== "executed") throw new Error(result.status);
    const there = plane.rig.pipeline.status(result.intentId);
    if (there.status !== "executed") throw new Error(there.status);
    const { bundle, ...rest } = result;
    const { bundle: known, ...expected } = there;
    expect(rest).toEqual(expected);
    expect(bundle.digest).toBe(known.digest);
    const bytes = await bundle.bytes();
    verified(bytes, plane.rig.trust);
  });

  it("a denial is a value, with its reason", async () => {
    const result = await agent().call("fs.mkdir", { path: "data/x" });
    expect(result).toMatchObject({
      status: "denied",
      reason: { code: "EXO_POLICY_DENIED", approvalCouldHelp: false },
    });
    const there = plane.rig.pipeline.status(result.intentId);
    if (result.status !== "denied" || there.status !== "denied") throw new Error(result.status);
    expect(result.advice).toEqual(there.advice);
    expect(result.advice.nextSteps.map(({ step }) => step)).toEqual(["ask_less", "allow_in_policy"]);
  });

  it.each([
    ["the request is lost", ["drop_request"]],
    ["the answer is lost after the action was done", ["drop_answer"]],
    ["it is lost again and again", ["drop_answer", "drop_request", "drop_answer"]],
    ["it is busy", ["busy", "rate"]],
  ] as const)("%s: sent again under the same key, done once", async (_what, told) => {
    faults = [...told];
    const result = await agent().execute(write);
    expect(result.status).toBe("executed");
    expect(plane.rig.sandbox.jobs.length).toBe(1);
    expect(seen.length).toBe(told.length + 1);
    expect(new Set(seen).size).toBe(1);
  });

  it("gives up after its patience, with what stood in the way", async () => {
    faults = ["busy", "busy", "busy", "busy"];
    await expect(agent().execute(write)).rejects.toMatchObject({ code: "EXO_CONTROL_PLANE" });
    expect(seen.length).toBe(4);
  });

  it("two calls without a key are two actions; with one key they are one", async () => {
    const client = agent();
    const [one, two] = [
      await client.call("fs.read", { path: "data/orders.csv" }),
      await client.call("fs.read", { path: "data/orders.csv" }),
    ];
    expect(one.intentId).not.toBe(two.intentId);
    const key = { idempotencyKey: "call-1" };
    const [three, four] = [
      await client.call("fs.read", { path: "data/orders.csv" }, key),
      await client.call("fs.read", { path: "data/orders.csv" }, key),
    ];
    expect(three.intentId).toBe(four.intentId);
    await expect(client.call("fs.read", { path: "data/other.csv" }, key)).rejects.toMatchObject({
      code: "EXO_IDEMPOTENCY_CONFLICT",
    });
  });

  it("an answer that is none is not taken for one, nor sent for again", async () => {
    faults = ["html"];
    await expect(agent().execute(write)).rejects.toMatchObject({ code: "EXO_CONTROL_PLANE" });
    expect(seen.length).toBe(1);
  });

  it("refusals are thrown with their code, and nothing is sent again", async () => {
    const token = plane.token({ kind: "viewer" });
    const client = createClient({ origin, token, patience });
    await expect(client.execute(write)).rejects.toMatchObject({ code: "EXO_FORBIDDEN" });
    const unknown = createClient({ origin, token: `${token.slice(0, -8)}AAAAAAAA`, patience });
    await expect(unknown.status("01KA4X6F7J2Z8Q0V5N3T9RBCDE")).rejects.toMatchObject({ code: "EXO_AUTHENTICATION" });
    await expect(client.status("01KA4X6F7J2Z8Q0V5N3T9RBCDE")).rejects.toMatchObject({ code: "EXO_INTENT_UNKNOWN" });
    expect(seen.length).toBe(3);
  });

  it("a bundle that is another one is refused", async () => {
    const client = agent();
    const [one, two] = [
      await client.execute(write),
      await client.execute({ ...write, parameters: { path: "data/b.csv", text: "b" } }),
    ];
    if (!("bundle" in one) || !("bundle" in two)) throw new Error("no bundle");
    const other = await two.bundle.bytes();
    vi.spyOn(plane.rig.pipeline, "bundle").mockReturnValue({ digest: two.bundle.digest, bytes: () => other });
    await expect(one.bundle.bytes()).rejects.toMatchObject({ code: "EXO_BUNDLE" });
  });
});

describe("wait", () => {
  it("goes on over polls, lost connections and refusals for the moment, until a person has decided", async () => {
    const client = agent({ pollMs: 20 });
    const pending = await client.call("fs.remove", { path: "data/orders.csv" });
    if (pending.status !== "approval_pending") throw new Error(pending.status);
    faults = ["drop_request", "busy", "rate", "drop_answer", "drop_request", "busy"];
    const waiting = client.wait(pending.intentId);
    await vi.waitFor(() => expect(seen.length).toBeGreaterThan(8));
    const { token } = await login({
      origin: `http://127.0.0.1:${plane.server.port}`,
      signer: keys.alice,
      role: "approver",
    });
    const person = createClient({ origin, token, patience });
    const [waits] = await person.approvals();
    expect(waits?.request).toEqual(pending.approval);
    const sent = await grant(pending.approval, "alice", keys.alice);
    faults.push("drop_answer", "drop_request");
    const decided = await person.decide(pending.approval.requestId, sent);
    const done = await waiting;
    expect([done.status, decided.status, done.intentId]).toEqual(["executed", "executed", pending.intentId]);
    expect((await client.status(pending.intentId)).status).toBe("executed");
  });

  it("ends with the signal's reason, and the intent goes on", async () => {
    const client = agent({ pollMs: 20 });
    const pending = await client.call("fs.remove", { path: "data/orders.csv" });
    const stop = new AbortController();
    const waiting = client.wait(pending.intentId, { signal: stop.signal });
    await vi.waitFor(() => expect(seen.length).toBeGreaterThan(2));
    stop.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    expect((await client.status(pending.intentId)).status).toBe("approval_pending");
  });
});

describe("where a credential goes", () => {
  it.each([
    "http://exoarmur.example.org",
    "http://127.0.0.1:1/path",
    "http://user@127.0.0.1",
    "ftp://127.0.0.1",
    "nowhere",
  ])("%s: not there", async (wrong) => {
    const code = { code: "EXO_USAGE" };
    expect(() => createClient({ origin: wrong, token: "t" })).toThrow(expect.objectContaining(code));
    await expect(login({ origin: wrong, signer: keys.alice, role: "approver" })).rejects.toMatchObject(code);
  });

  it("a challenge of another origin is not signed: what stands between gets no session", async () => {
    await expect(login({ origin, signer: keys.alice, role: "approver" })).rejects.toMatchObject({
      code: "EXO_CONTROL_PLANE",
    });
    expect(seen.length).toBe(1);
  });
});
