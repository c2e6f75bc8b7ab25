import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { canonicalize } from "../../src/canonical/jcs.js";
import { formatTime } from "../../src/canonical/time.js";
import { createClient } from "../../src/client/client.js";
import type { ApprovalRequest } from "../../src/contracts/approval.js";
import { type Envelope, payloadTypes, signEnvelope } from "../../src/contracts/dsse.js";
import type { SignedIntent } from "../../src/contracts/signed-intent.js";
import { trustSchema } from "../../src/contracts/trust.js";
import type { Signer } from "../../src/ports.js";
import { verified } from "../support/rig.js";
import { grant } from "../support/sign.js";
import { keys, seededEntropy, signerNamed, startMs, trusted, trustOf, usualKeys } from "../support/world.js";
import { codeOf, openPlane, type Plane } from "./support.js";

const agent = signerNamed("agent");
const both = signerNamed("agent of two tenants");
const ended = signerNamed("ended agent");
const ofAlice = signerNamed("alice's agent");

const trustKeys = [
  ...usualKeys,
  trusted("agent", "signing-agent", agent, { tenants: ["default"], actions: ["fs.*"] }),
  trusted("agent", "two-tenants", both, { tenants: ["default", "other"], actions: ["fs.read"] }),
  trusted("agent", "ended", ended, { tenants: ["default"], actions: ["*"], until: 0 }),
  trusted("agent", "alices-agent", ofAlice, { tenants: ["default"], actions: ["*"], person: "alice" }),
];

let plane: Plane;

beforeAll(async () => {
  plane = await openPlane({ rig: { trustKeys } });
});
afterAll(async () => await plane.close());

let serial = 0;

type Change = Partial<SignedIntent> & { readonly more?: object };

async function signed(
  action: string,
  change: Change = {},
  signer: Signer = agent,
  type: string = payloadTypes.signedIntent,
) {
  const { more, ...members } = change;
  const now = plane.rig.clock.now();
  const document = {
    schema: "exoarmur.signed-intent/v1",
    audience: plane.server.origin,
    cellId: "local",
    keyId: signer.keyId,
    intent: { action, parameters: { path: `data/${serial++}.csv` }, idempotencyKey: `signed-${serial}`, ...more },
    signedAt: formatTime(now),
    expiresAt: formatTime(now + 60_000),
    ...members,
  };
  return await signEnvelope(type, canonicalize(document as never), signer);
}

const send = async (body: Envelope, query = "") => await plane.ask(`/v1/signed-intents${query}`, { body });

const write = { parameters: { path: "data/a.csv", text: "a" } };

describe("a signed intent", () => {
  it("is executed without any other credential, and its bundle says by whose signature it came", async () => {
    const done = await send(await signed("fs.write", { more: write }));
    expect([done.status, done.json["status"]]).toEqual([200, "executed"]);
    const id = String(done.json["intentId"]);
    const reader = await plane.ask(`/v1/intents/${id}`, { token: plane.token({ kind: "viewer" }) });
    expect(reader.json).toMatchObject({
      tenantId: "default",
      actor: { id: "signing-agent", type: "agent" },
      requester: { principal: "signing-agent", method: "signature" },
    });
    const bundle = plane.rig.pipeline.bundle(id);
    if (bundle === undefined) throw new Error("no bundle");
    verified(bundle.bytes(), plane.rig.trust);
  });

  it("sent again within its time it is the same intent, and starts nothing", async () => {
    const body = await signed("fs.write", { more: { parameters: { path: "data/again.csv", text: "a" } } });
    const runs = plane.rig.sandbox.jobs.length;
    const first = await send(body);
    const again = await Promise.all([send(body), send(body)]);
    expect(again.map(({ json }) => json)).toEqual([first.json, first.json]);
    expect(plane.rig.sandbox.jobs.length).toBe(runs + 1);
  });

  it("captured and sent after its time it is refused, and nothing of the intent is told", async () => {
    const body = await signed("fs.read");
    expect((await send(body)).status).toBe(200);
    plane.rig.clock.advance(60_000);
    const late = await send(body);
    expect(codeOf(late)).toBe("401 EXO_AUTHENTICATION");
    expect(late.json["detail"]).toMatch(/^what was signed counted until /);
    expect(late.text).not.toContain("intentId");
  });

  it("of one key for another request: a conflict, as with tokens", async () => {
    const key = { idempotencyKey: "one-key" };
    expect((await send(await signed("fs.write", { more: { ...write, ...key } }))).status).toBe(200);
    const other = await signed("fs.write", { more: { parameters: { path: "data/b.csv", text: "b" }, ...key } });
    expect(codeOf(await send(other))).toBe("409 EXO_IDEMPOTENCY_CONFLICT");
  });

  it.each<[string, () => Promise<Envelope>, RegExp]>([
    ["by a key that nobody admitted", () => signed("fs.read", {}, keys.mallory), /no trusted key/],
    ["by a key of another role", () => signed("fs.read", {}, keys.operator), /no trusted key/],
    ["by a key that has ended", () => signed("fs.read", {}, ended), /no trusted key/],
    ["that names another key", () => signed("fs.read", { keyId: both.keyId }), /names another key/],
    ["for another origin", () => signed("fs.read", { audience: "https://elsewhere.example" }), /another origin/],
    ["for another cell", () => signed("fs.read", { cellId: "other" }), /another cell/],
    ["for longer than is taken", () => signed("fs.read", { expiresAt: formatTime(startMs + 9e8) }), /at most 300 s/],
    ["that ends before it begins", () => signed("fs.read", { expiresAt: formatTime(startMs - 1) }), /after signedAt/],
    [
      "of a time that is yet to come",
      () => signed("fs.read", { signedAt: formatTime(startMs + 9e8), expiresAt: formatTime(startMs + 9e8 + 1) }),
      /yet to come/,
    ],
    ["under another payload type", () => signed("fs.read", {}, agent, payloadTypes.challenge), /payload type/],
    ["with a member nobody knows", () => signed("fs.read", { admin: true } as never), /Unrecognized key/],
    [
      "without an idempotency key",
      () => signed("fs.read", { intent: { action: "fs.read", parameters: {} } as never }),
      /idempotencyKey/,
    ],
  ])("%s: refused", async (_what, make, detail) => {
    const answer = await send(await make());
    expect(codeOf(answer)).toBe("401 EXO_AUTHENTICATION");
    expect(answer.json["detail"]).toMatch(detail);
  });

  it("whose payload or signature was changed, or signed twice: refused", async () => {
    const [one, two] = [await signed("fs.write", { more: write }), await signed("fs.read", {}, both)];
    const swapped = { ...one, payload: two.payload };
    const twice = { ...one, signatures: [...one.signatures, ...two.signatures] };
    for (const body of [swapped, twice, { ...one, signatures: two.signatures }]) {
      expect(codeOf(await send(body))).toBe("401 EXO_AUTHENTICATION");
    }
  });

  it.each([
    ["an action the key is not for", { more: { action: "http.get" } }, agent],
    ["another actor", { more: { actor: "report-agent" } }, agent],
    ["another tenant", { more: { tenantId: "other" } }, agent],
    ["the runtime's own correlation", { more: { correlationId: "system" } }, agent],
  ] as const)("for %s: EXO_FORBIDDEN", async (_what, change, signer) => {
    expect(codeOf(await send(await signed("fs.read", change, signer)))).toBe("403 EXO_FORBIDDEN");
  });

  it("of a key for several tenants names the one it is for", async () => {
    expect(codeOf(await send(await signed("fs.read", {}, both)))).toBe("400 EXO_SCHEMA");
    const named = await send(await signed("fs.read", { more: { tenantId: "other" } }, both));
    const id = String(named.json["intentId"]);
    const reader = plane.token({ kind: "viewer" }, "other");
    expect((await plane.ask(`/v1/intents/${id}`, { token: reader })).json["tenantId"]).toBe("other");
  });

  it("no key of the agent's person may approve it", async () => {
    const pending = await send(await signed("fs.remove", {}, ofAlice));
    const request = pending.json["approval"] as ApprovalRequest;
    expect(request.roster.map(({ id }) => id)).not.toContain("alice");
    const others = await send(await signed("fs.remove"));
    const roster = (others.json["approval"] as ApprovalRequest).roster;
    expect(roster.map(({ id }) => id)).toContain("alice");
    const session = await plane.login("approver");
    const path = `/v1/approvals/${request.requestId}/grants`;
    const own = await plane.ask(path, { token: session, body: await grant(request, "alice", keys.alice) });
    expect(codeOf(own)).toBe("403 EXO_APPROVAL_APPROVER");
  });
});

describe("an agent's key as a client's credential", () => {
  const options = { patience: { attempts: 3, firstMs: 1, mostMs: 4 }, entropy: seededEntropy("client") };
  const client = (signer: Signer = agent) =>
    createClient({
      origin: plane.server.origin,
      agent: { signer, cellId: "local", clock: plane.rig.clock },
      ...options,
    });

  it("hands in, waits, reads and fetches the bundle", async () => {
    const mine = client();
    const done = await mine.execute({ action: "fs.write", ...write });
    if (done.status !== "executed") throw new Error(done.status);
    verified(await done.bundle.bytes(), plane.rig.trust);
    const pending = await mine.call("fs.remove", { path: "data/orders.csv" });
    if (pending.status !== "approval_pending") throw new Error(pending.status);
    const waiting = mine.wait(pending.intentId);
    await plane.rig.pipeline.decide(await grant(pending.approval, "alice", keys.alice));
    expect((await waiting).status).toBe("executed");
    const elsewhere = { signer: agent, cellId: "elsewhere", clock: plane.rig.clock };
    const lost = createClient({ origin: plane.server.origin, agent: elsewhere, ...options });
    await expect(lost.execute({ action: "fs.write", ...write })).rejects.toMatchObject({ code: "EXO_AUTHENTICATION" });
    await expect(lost.status(done.intentId)).rejects.toMatchObject({ code: "EXO_CONTROL_PLANE" });
    await expect(client(both).status(pending.intentId)).rejects.toMatchObject({ code: "EXO_INTENT_UNKNOWN" });
  });

  it("goes on when its session has ended, and not when its key has", async () => {
    const mine = client();
    const done = await mine.execute({ action: "fs.write", ...write });
    plane.rig.clock.advance(900_000);
    expect((await mine.status(done.intentId)).status).toBe("executed");
    await expect(client(ended).execute({ action: "fs.write", ...write })).rejects.toMatchObject({
      code: "EXO_AUTHENTICATION",
    });
  });

  it("its session reads, and hands nothing in", async () => {
    const { login } = await import("../../src/client/login.js");
    const { token } = await login({ origin: plane.server.origin, signer: agent, role: "agent" });
    const who = await plane.ask("/v1/whoami", { token });
    expect(who.json).toMatchObject({ name: "signing-agent", roles: ["agent"], tenants: ["default"] });
    const body = { action: "fs.read", parameters: { path: "data/a.csv" }, idempotencyKey: "bearer" };
    expect(codeOf(await plane.ask("/v1/intents", { token, body }))).toBe("403 EXO_FORBIDDEN");
    expect(codeOf(await plane.ask("/v1/policy", { token }))).toBe("403 EXO_FORBIDDEN");
  });

  it.each([{}, { token: "t", agent: { signer: agent, cellId: "local", clock: { now: () => 0 } } }])(
    "neither and both: EXO_USAGE",
    (given) => {
      const make = () => createClient({ origin: "http://127.0.0.1:1", ...given });
      expect(make).toThrow(expect.objectContaining({ code: "EXO_USAGE" }));
    },
  );
});

describe("an agent's key in the trust file", () => {
  it.each([
    ["no actions", trusted("agent", "a", agent, { tenants: ["default"] })],
    ["no tenants", trusted("agent", "a", agent, { actions: ["*"] })],
    ["actions of another role", trusted("approver", "a", agent, { actions: ["*"] })],
  ])("%s: not a trust file", (_what, key) => {
    const parsed = trustSchema.safeParse(trustOf([key]));
    expect(parsed.error?.issues[0]?.message).toBe(
      "expected tenants and actions with every key of the role agent, and actions with no other",
    );
  });
});

describe("limits of signed intents", () => {
  it("by address, whether they count or not, and nobody else's there", async () => {
    const rate = { burst: 3, perSecond: 0.5 };
    const one = await openPlane({ rig: { trustKeys }, limits: { principal: rate } });
    try {
      const statuses: number[] = [];
      for (let n = 0; n < 4; n++) {
        const payload = Buffer.from("{}").toString("base64");
        const signatures = [{ keyid: keys.mallory.keyId, sig: Buffer.alloc(64).toString("base64") }];
        const body = { payloadType: payloadTypes.signedIntent, payload, signatures };
        statuses.push((await one.ask("/v1/signed-intents", { body })).status);
      }
      expect(statuses).toEqual([401, 401, 401, 429]);
      // Whoever brings a token there is not slowed.
      const token = one.token({ kind: "agent", actor: { id: "report-agent", type: "agent" }, actions: ["*"] });
      expect((await one.ask("/v1/whoami", { token })).status).toBe(200);
    } finally {
      await one.close();
    }
  });

  it("by key: what its session asks is of the same bucket", async () => {
    const one = await openPlane({ rig: { trustKeys }, limits: { principal: { burst: 3, perSecond: 0.5 } } });
    try {
      const origin = one.server.origin;
      const patience = { attempts: 1, firstMs: 1, mostMs: 1 };
      const mine = createClient({ origin, agent: { signer: agent, cellId: "local", clock: one.rig.clock }, patience });
      const done = await mine.execute({ action: "fs.write", ...write });
      for (let n = 0; n < 2; n++) await mine.status(done.intentId);
      await expect(mine.execute({ action: "fs.write", ...write })).rejects.toMatchObject({ code: "EXO_RATE" });
      const other = createClient({
        origin,
        agent: { signer: ofAlice, cellId: "local", clock: one.rig.clock },
        patience,
      });
      expect((await other.execute({ action: "fs.write", ...write })).status).toBe("executed");
    } finally {
      await one.close();
    }
  });
});
