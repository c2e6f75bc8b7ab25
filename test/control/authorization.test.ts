import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { digestOfJson } from "../../src/canonical/digest.js";
import { parseBearer } from "../../src/contracts/access.js";
import type { ApprovalRequest } from "../../src/contracts/approval.js";
import type { Envelope } from "../../src/contracts/dsse.js";
import { routes } from "../../src/control/routes.js";
import { policyOf, usualRules } from "../support/rig.js";
import { activation, grant, killOrder, resolution, signedPolicy } from "../support/sign.js";
import { keys } from "../support/world.js";
import { codeOf, openPlane, type Plane } from "./support.js";

/** Who may do what, written out: the table of routes must say the same, and every request is tried against this one. */
const agreed: Readonly<Record<string, readonly [method: string, path: string, roles: string, tenancy: string]>> = {
  health: ["get", "/v1/health", "open", "none"],
  readiness: ["get", "/v1/ready", "open", "none"],
  createChallenge: ["post", "/v1/auth/challenges", "open", "none"],
  openSession: ["post", "/v1/auth/sessions", "open", "none"],
  closeSession: ["delete", "/v1/auth/sessions/current", "viewer approver policy-author admin", "none"],
  listSessions: ["get", "/v1/auth/sessions", "admin", "cell"],
  revokeSession: ["delete", "/v1/auth/sessions/{sessionId}", "admin", "cell"],
  whoAmI: ["get", "/v1/whoami", "agent monitor viewer approver policy-author admin", "none"],
  submitIntent: ["post", "/v1/intents", "agent", "filter"],
  submitSignedIntent: ["post", "/v1/signed-intents", "signed", "filter"],
  listIntents: ["get", "/v1/intents", "agent viewer", "filter"],
  getIntent: ["get", "/v1/intents/{intentId}", "agent viewer", "object"],
  waitForIntent: ["get", "/v1/intents/{intentId}/wait", "agent viewer", "object"],
  getIntentEvents: ["get", "/v1/intents/{intentId}/events", "agent viewer", "object"],
  getIntentBundle: ["get", "/v1/intents/{intentId}/bundle", "agent viewer", "object"],
  resolveIntent: ["post", "/v1/intents/{intentId}/resolution", "admin", "object"],
  listEvents: ["get", "/v1/events", "viewer", "filter"],
  followEvents: ["get", "/v1/live", "agent viewer", "filter"],
  getMetrics: ["get", "/v1/metrics", "monitor viewer", "cell"],
  listApprovals: ["get", "/v1/approvals", "viewer", "filter"],
  getApproval: ["get", "/v1/approvals/{requestId}", "viewer", "object"],
  decideApproval: ["post", "/v1/approvals/{requestId}/grants", "approver", "object"],
  getKillSwitch: ["get", "/v1/killswitch", "viewer", "filter"],
  orderKillSwitch: ["post", "/v1/killswitch", "admin", "signed"],
  listPolicies: ["get", "/v1/policies", "viewer", "none"],
  proposePolicy: ["post", "/v1/policies", "policy-author", "signed"],
  getProposedPolicy: ["get", "/v1/policies/{digest}", "viewer", "none"],
  withdrawPolicy: ["delete", "/v1/policies/{digest}", "policy-author", "cell"],
  backtestPolicy: ["post", "/v1/policies/{digest}/backtest", "viewer", "filter"],
  testPolicy: ["post", "/v1/policies/{digest}/test", "viewer", "none"],
  activatePolicy: ["post", "/v1/policies/{digest}/activate", "policy-author", "signed"],
  listPlugins: ["get", "/v1/plugins", "viewer", "none"],
  getPolicy: ["get", "/v1/policy", "viewer", "none"],
  getCheckpoint: ["get", "/v1/log/checkpoint", "agent monitor viewer approver policy-author admin", "none"],
  listTrustScores: ["get", "/v1/trust-scores", "viewer", "filter"],
  getInclusionProof: ["get", "/v1/log/proofs/{index}", "viewer", "none"],
  getConsistencyProof: ["get", "/v1/log/consistency", "viewer", "none"],
  getOpenApi: ["get", "/v1/openapi.json", "agent monitor viewer approver policy-author admin", "none"],
};

/** Everybody who asks: roles, and the tenant they are limited to. `sees` is whether the intent below is theirs to see. */
const askers = {
  nobody: { roles: [], tenant: "", sees: false },
  agent: { roles: ["agent"], tenant: "default", sees: true },
  "another agent of the tenant": { roles: ["agent"], tenant: "default", sees: false },
  "the same agent of another tenant": { roles: ["agent"], tenant: "other", sees: false },
  monitor: { roles: ["monitor"], tenant: null, sees: false },
  reader: { roles: ["viewer"], tenant: "default", sees: true },
  "a reader of another tenant": { roles: ["viewer"], tenant: "other", sees: false },
  admin: { roles: ["viewer", "admin"], tenant: null, sees: true },
  "an admin of another tenant": { roles: ["viewer", "admin"], tenant: "other", sees: false },
  approver: { roles: ["viewer", "approver"], tenant: null, sees: true },
  "an approver of another tenant": { roles: ["viewer", "approver"], tenant: "other", sees: false },
  author: { roles: ["viewer", "policy-author"], tenant: null, sees: true },
  "an author of another tenant": { roles: ["viewer", "policy-author"], tenant: "other", sees: false },
} as const;

type Asker = keyof typeof askers;

let plane: Plane;
let tokens: Readonly<Record<Asker, () => Promise<string | undefined>>>;
let intentId: string;
let request: ApprovalRequest;
let open: Map<string, string>;
/** A policy that is proposed whenever its route is asked. */
let proposal: Envelope;
const proposed = digestOfJson(policyOf(usualRules, 7));

const reportAgent = { id: "report-agent", type: "agent" };

/** The body a route is sent, by id; routes of signed documents get one that is signed by nobody they know. */
let bodies: Readonly<Record<string, unknown>>;

beforeAll(async () => {
  plane = await openPlane();
  const agent = plane.token({ kind: "agent", actor: reportAgent, actions: ["*"] });
  const fixed = (token: string) => async () => token;
  // Sessions are opened when they are first needed, and again when one was closed.
  open = new Map();
  const session = (who: Parameters<Plane["login"]>[0]) => async () => {
    const known = open.get(who) ?? (await plane.login(who));
    open.set(who, known);
    return known;
  };
  tokens = {
    nobody: async () => undefined,
    agent: fixed(agent),
    "another agent of the tenant": fixed(
      plane.token({ kind: "agent", actor: { id: "other-agent", type: "agent" }, actions: ["*"] }),
    ),
    "the same agent of another tenant": fixed(
      plane.token({ kind: "agent", actor: reportAgent, actions: ["*"] }, "other"),
    ),
    monitor: fixed(plane.token({ kind: "monitor" })),
    reader: fixed(plane.token({ kind: "viewer" })),
    "a reader of another tenant": fixed(plane.token({ kind: "viewer" }, "other")),
    admin: session("admin"),
    "an admin of another tenant": session("otherAdmin"),
    approver: session("approver"),
    "an approver of another tenant": session("otherApprover"),
    author: session("author"),
    "an author of another tenant": session("otherAuthor"),
  };
  const submit = async (action: string, idempotencyKey: string) =>
    await plane.ask("/v1/intents", {
      token: agent,
      body: { action, parameters: { path: "data/orders.csv" }, idempotencyKey },
    });
  intentId = (await submit("fs.read", "setup-1")).json["intentId"] as string;
  request = (await submit("fs.remove", "setup-2")).json["approval"] as ApprovalRequest;
  proposal = await signedPolicy(policyOf(usualRules, 7));
  bodies = {
    proposePolicy: await signedPolicy(policyOf(usualRules, 9), keys.publisher),
    backtestPolicy: {},
    testPolicy: {
      schema: "exoarmur.policy-cases/v1",
      cases: [
        {
          name: "tried",
          intent: { actor: "a", action: "fs.read", target: "data/x", parameters: {} },
          expect: { verdict: "allow" },
        },
      ],
    },
    activatePolicy: await activation(proposed, proposed, {}, keys.publisher),
    createChallenge: { keyId: keys.operator.keyId, role: "operator" },
    openSession: await killOrder(true, {}, keys.publisher),
    submitIntent: { action: "fs.read", parameters: { path: "data/orders.csv" }, idempotencyKey: "tried" },
    submitSignedIntent: await killOrder(true, {}, keys.publisher),
    resolveIntent: await resolution(intentId, "committed", {}, keys.publisher),
    decideApproval: await grant(request, "alice", keys.publisher),
    orderKillSwitch: await killOrder(true, {}, keys.publisher),
  };
});
afterAll(async () => await plane.close());

function pathOf(path: string): string {
  const filled = path
    .replace("{intentId}", intentId)
    .replace("{requestId}", request.requestId)
    .replace("{sessionId}", "01KA4X6F7J2Z8Q0V5N3T9RBCDE")
    .replace("{digest}", proposed)
    .replace("{index}", "0");
  return path === "/v1/log/consistency" ? `${filled}?old=1&new=2` : filled;
}

/** What a request must come to: a status, or undefined for anything but a refusal at the door. */
function expected(id: string, who: Asker): string | undefined {
  const [, path, roles = "", tenancy] = agreed[id] ?? [];
  const asker = askers[who];
  if (roles === "open") return undefined;
  // The body is the credential, and here it is signed by nobody the trust file knows; who else asks does not count.
  if (roles === "signed") return "401 EXO_AUTHENTICATION";
  if (who === "nobody") return "401 EXO_AUTHENTICATION";
  const needed = roles.split(" ");
  if (!asker.roles.some((role) => needed.includes(role))) return "403 EXO_FORBIDDEN";
  if (tenancy === "cell" && asker.tenant !== null) return "403 EXO_FORBIDDEN";
  if (tenancy !== "object" || asker.sees) return undefined;
  return path?.includes("approvals") ? "404 EXO_APPROVAL_UNKNOWN" : "404 EXO_INTENT_UNKNOWN";
}

describe("the table of routes", () => {
  it("says what is agreed, for every route", () => {
    const table = routes.map(({ id, method, path, roles, tenancy }) => [
      id,
      [method, path, typeof roles === "string" ? roles : roles.join(" "), tenancy],
    ]);
    expect(Object.fromEntries(table)).toEqual(agreed);
    expect(routes.length).toBe(Object.keys(agreed).length);
  });

  it("only health and logging in are open", () => {
    const openOnes = routes.filter(({ roles }) => roles === "open").map(({ id }) => id);
    expect(openOnes).toEqual(["health", "readiness", "createChallenge", "openSession"]);
  });

  it("a route that takes a body bounds it", () => {
    for (const { method, body } of routes) {
      expect(body !== null).toBe(method === "post");
      if (body !== null) expect(body.maxBytes).toBeLessThanOrEqual(1_048_576);
    }
  });
});

describe.each(Object.keys(agreed))("%s", (id) => {
  it.each(Object.keys(askers) as Asker[])("asked by %s", async (who) => {
    const [method = "", path = ""] = agreed[id] ?? [];
    const token = await tokens[who]();
    if (path.includes("{digest}")) await plane.rig.pipeline.policies.propose(proposal);
    const answer = await plane.ask(pathOf(path), { method: method.toUpperCase(), token, body: bodies[id] });
    if (id === "closeSession") for (const [name, text] of open) if (text === token) open.delete(name);
    const want = expected(id, who);
    if (want !== undefined) expect(codeOf(answer)).toBe(want);
    else if (id === "openSession") expect(codeOf(answer)).toBe("401 EXO_AUTHENTICATION");
    else if (id === "closeSession" && parseBearer(token ?? "")?.kind === "token") {
      expect(codeOf(answer)).toBe("403 EXO_FORBIDDEN");
    } else if (id === "proposePolicy") expect(codeOf(answer)).toBe("422 EXO_POLICY_UNSIGNED");
    else if (["resolveIntent", "decideApproval", "orderKillSwitch", "activatePolicy"].includes(id)) {
      // Let in at the door; the signature by a key without the role is refused behind it.
      expect(codeOf(answer)).toBe("422 EXO_TRUST");
    } else expect(answer.status).toBe(200);
  });
});

describe("tenants", () => {
  const items = ({ json }: { json: Record<string, unknown> }) => json["items"] as Record<string, unknown>[];

  it.each(["/v1/intents", "/v1/events", "/v1/approvals?status=any"])("%s shows one's own tenants", async (path) => {
    const of = async (who: Asker) => items(await plane.ask(path, { token: await tokens[who]() }));
    const tenantOf = (item: Record<string, unknown>) =>
      (item["request"] as ApprovalRequest | undefined)?.tenantId ?? item["tenantId"];
    const [mine, theirs] = [await of("reader"), await of("a reader of another tenant")];
    expect(mine.length).toBeGreaterThan(0);
    expect(mine.every((item) => tenantOf(item) === "default")).toBe(true);
    expect(theirs.every((item) => tenantOf(item) === "other")).toBe(true);
  });

  it.each(["/v1/intents", "/v1/events", "/v1/approvals"])("%s of another tenant: EXO_FORBIDDEN", async (path) => {
    for (const [who, tenant] of [
      ["reader", "other"],
      ["a reader of another tenant", "default"],
      ["an admin of another tenant", "default"],
      ["reader", "unheard-of"],
    ] as const) {
      const answer = await plane.ask(`${path}?tenantId=${tenant}`, { token: await tokens[who]() });
      expect(codeOf(answer)).toBe("403 EXO_FORBIDDEN");
    }
  });

  it("an agent lists what it handed in, and nothing of other agents", async () => {
    const own = items(await plane.ask("/v1/intents", { token: await tokens.agent() }));
    expect(own.length).toBeGreaterThan(0);
    expect(own.every(({ actor }) => (actor as { id: string }).id === "report-agent")).toBe(true);
  });

  it("what the process itself handed in is no agent's, whatever it is called", async () => {
    const asserted = await plane.rig.pipeline.execute({
      actor: "report-agent",
      action: "fs.read",
      parameters: { path: "data/orders.csv" },
    });
    const path = `/v1/intents/${asserted.intentId}`;
    expect(codeOf(await plane.ask(path, { token: await tokens.agent() }))).toBe("404 EXO_INTENT_UNKNOWN");
    const library = plane.token({ kind: "agent", actor: { id: "library", type: "agent" }, actions: ["*"] });
    expect(codeOf(await plane.ask(path, { token: library }))).toBe("404 EXO_INTENT_UNKNOWN");
    expect((await plane.ask(path, { token: await tokens.reader() })).status).toBe(200);
  });

  it("another tenant's object and one that is not there are answered alike", async () => {
    const token = await tokens["a reader of another tenant"]();
    const hidden = await plane.ask(`/v1/intents/${intentId}`, { token });
    const missing = await plane.ask("/v1/intents/01KA4X6F7J2Z8Q0V5N3T9RBCDE", { token });
    const shape = ({ status, json }: typeof hidden) => [status, { ...json, requestId: "", detail: "" }];
    expect(shape(hidden)).toEqual(shape(missing));
    expect(String(hidden.json["detail"]).replace(intentId, "")).toBe(
      String(missing.json["detail"]).replace(/01KA\w+/, ""),
    );
  });

  it("events of the system are not shown to who is limited to a tenant, even the one whose chain it is", async () => {
    const path = "/v1/events?tenantId=default&correlationId=system";
    expect(items(await plane.ask(path, { token: await tokens.reader() }))).toEqual([]);
    expect(items(await plane.ask(path, { token: await tokens.admin() })).length).toBeGreaterThan(0);
  });

  it("a reader sees the switches of its tenant", async () => {
    const { json } = await plane.ask("/v1/killswitch", { token: await tokens["a reader of another tenant"]() });
    expect(Object.keys(json["tenants"] as object)).toEqual(["other"]);
  });

  it("an operator of one tenant moves its switch and no other", async () => {
    const token = await tokens["an admin of another tenant"]();
    const named = { operator: { id: "other-ops", keyId: keys.mallory.keyId } };
    for (const more of [named, { ...named, tenantId: "default" }]) {
      const body = await killOrder(true, more, keys.mallory);
      expect(codeOf(await plane.ask("/v1/killswitch", { token, body }))).toBe("400 EXO_ORDER");
    }
    const body = await killOrder(true, { ...named, tenantId: "other" }, keys.mallory);
    expect((await plane.ask("/v1/killswitch", { token, body })).json).toMatchObject({
      global: false,
      tenants: { other: true },
    });
  });
});
