import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { canonicalize } from "../../src/canonical/jcs.js";
import { formatTime } from "../../src/canonical/time.js";
import { type Challenge, parseBearer } from "../../src/contracts/access.js";
import type { ApprovalRequest } from "../../src/contracts/approval.js";
import { payloadTypes, signEnvelope } from "../../src/contracts/dsse.js";
import type { Route } from "../../src/control/route.js";
import { routes } from "../../src/control/routes.js";
import { codeOf, openPlane, type Plane } from "../control/support.js";
import { checkStore } from "../support/rig.js";
import { grant, killOrder, resolution } from "../support/sign.js";
import { keys } from "../support/world.js";

/** Everything is asked of each route of the table, so that a new route is attacked with its first commit. */
const guarded = routes.filter(({ roles }) => typeof roles !== "string");
const withBody = routes.filter(({ body }) => body !== null);
const changing = guarded.filter(({ method }) => method !== "get");

let plane: Plane;
/** A credential that each role is let in with. */
let holders: Readonly<Record<string, string>>;

const agentGrant = { kind: "agent", actor: { id: "report-agent", type: "agent" }, actions: ["*"] } as const;
const agentToken = (one: Plane): string => one.token({ ...agentGrant, actions: ["*"] });

beforeAll(async () => {
  plane = await openPlane();
  holders = await holdersOf(plane);
});
afterAll(async () => {
  checkStore(plane.rig);
  await plane.close();
});

async function holdersOf(one: Plane): Promise<Readonly<Record<string, string>>> {
  return {
    agent: agentToken(one),
    viewer: one.token({ kind: "viewer" }),
    approver: await one.login("approver"),
    "policy-author": await one.login("author"),
    admin: await one.login("admin"),
  };
}

const idOf = ({ id }: Route): string => id;
const rowOf = (id: string): Route => routes.find((route) => route.id === id) ?? expect.fail(id);
const ulid = "01KA4X6F7J2Z8Q0V5N3T9RBCDE";
const filled: Readonly<Record<string, string>> = { index: "0", digest: `sha256:${"0".repeat(64)}` };

function pathOf({ path }: Route): string {
  return path.replaceAll(/\{(\w+)\}/g, (_whole, name: string) => filled[name] ?? ulid);
}

/** Somebody whom the route lets in; nobody where it is open. */
function holderOf({ roles }: Route, of = holders): string | undefined {
  return typeof roles === "string" ? undefined : of[roles[0] ?? ""];
}

/** Sends bytes as they are and collects what comes back until the connection ends. */
async function raw(text: string, port = plane.server.port): Promise<string> {
  return await new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(text));
    let got = "";
    socket.setEncoding("utf8").on("data", (part: string) => (got += part));
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(got));
  });
}

function headOf(route: Route, more: readonly string[] = [], { port } = plane.server, of = holders): string {
  const holder = holderOf(route, of);
  const lines = [
    `${route.method.toUpperCase()} ${pathOf(route)} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    ...(holder === undefined ? [] : [`Authorization: Bearer ${holder}`]),
    ...(route.body === null ? [] : ["Content-Type: application/json"]),
    ...more,
  ];
  return `${lines.join("\r\n")}\r\n`;
}

/** Status of every answer on a connection. */
const statuses = (got: string): string[] => [...got.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status = ""]) => status);

describe("a credential that does not count", () => {
  const forgeries: readonly (readonly [string, (one: Plane) => Promise<string>])[] = [
    ["a token whose secret is guessed", async (one) => `${agentToken(one).slice(0, -8)}AAAAAAAA`],
    ["a session whose secret is guessed", async (one) => `${(await one.login("admin")).slice(0, -8)}AAAAAAAA`],
    ["a token that nobody made", async () => `exoarmur_token_${ulid}_${"A".repeat(43)}`],
    ["a session that nobody opened", async () => `exoarmur_session_${ulid}_${"A".repeat(43)}`],
    ["a token that has expired", async (one) => expired(one, { expiresAt: formatTime(0) })],
    ["a token that was revoked", async (one) => expired(one, { revokedAt: formatTime(0) })],
    ["a session that was closed", closedSession],
    ["a session as a token", async (one) => (await one.login("admin")).replace("_session_", "_token_")],
    [
      "a challenge's nonce",
      async (one) => {
        const body = { keyId: keys.operator.keyId, role: "operator" };
        return String((await one.ask("/v1/auth/challenges", { body })).json["nonce"]);
      },
    ],
  ];

  function expired(one: Plane, change: object): string {
    const token = agentToken(one);
    const id = parseBearer(token)?.id ?? "";
    const record = one.tokens.get(id) ?? expect.fail("no token");
    one.tokens.set(id, { ...record, ...change });
    return token;
  }

  async function closedSession(one: Plane): Promise<string> {
    const token = await one.login("otherAdmin");
    expect((await one.ask("/v1/auth/sessions/current", { method: "DELETE", token })).status).toBe(200);
    return token;
  }

  it.each(forgeries)("%s: let in nowhere", async (_what, make) => {
    const token = await make(plane);
    for (const route of guarded) {
      const ask = { method: route.method.toUpperCase(), token, ...(route.body === null ? {} : { body: {} }) };
      expect([route.id, codeOf(await plane.ask(pathOf(route), ask))]).toEqual([route.id, "401 EXO_AUTHENTICATION"]);
    }
  });

  it("a session that has expired: let in nowhere", async () => {
    const one = await openPlane();
    try {
      const token = await one.login("admin");
      one.rig.clock.advance(900_000);
      for (const route of guarded) {
        const ask = { method: route.method.toUpperCase(), token, ...(route.body === null ? {} : { body: {} }) };
        expect([route.id, codeOf(await one.ask(pathOf(route), ask))]).toEqual([route.id, "401 EXO_AUTHENTICATION"]);
      }
    } finally {
      await one.close();
    }
  });

  it.each([
    ["in the query", (token: string) => ({ query: `?access_token=${token}`, headers: {} })],
    [
      "in a cookie",
      (token: string) => ({ query: "", headers: { cookie: `session=${token}; Authorization=${token}` } }),
    ],
    ["as another scheme", (token: string) => ({ query: "", headers: { authorization: `Basic ${token}` } })],
    ["in another header", (token: string) => ({ query: "", headers: { "x-authorization": `Bearer ${token}` } })],
    ["beside another", (token: string) => ({ query: "", headers: { authorization: `Bearer x, Bearer ${token}` } })],
  ])("a good one %s is none", async (_where, place) => {
    const { query, headers } = place(holders["admin"] ?? "");
    const answer = await plane.ask(`/v1/whoami${query}`, { headers: headers as unknown as Record<string, string> });
    expect(codeOf(answer)).toBe("401 EXO_AUTHENTICATION");
  });
});

describe("what was signed, again or too late", () => {
  const submit = async (one: Plane, action: string, path: string) => {
    const body = { action, parameters: { path }, idempotencyKey: `${action} ${path}` };
    return (await one.ask("/v1/intents", { token: agentToken(one), body })).json;
  };

  it("a challenge's answer opens one session", async () => {
    const body = { keyId: keys.alice.keyId, role: "approver" };
    const { json } = await plane.ask("/v1/auth/challenges", { body });
    const answer = await signEnvelope(payloadTypes.challenge, canonicalize(json as Challenge), keys.alice);
    expect((await plane.ask("/v1/auth/sessions", { body: answer })).status).toBe(201);
    expect(codeOf(await plane.ask("/v1/auth/sessions", { body: answer }))).toBe("401 EXO_AUTHENTICATION");
  });

  it("a grant counts once, for its request alone, and not after its time", async () => {
    const one = await openPlane();
    try {
      const token = await one.login("approver");
      const [first, second] = [await submit(one, "fs.remove", "data/1"), await submit(one, "fs.remove", "data/2")];
      const [a, b] = [first["approval"] as ApprovalRequest, second["approval"] as ApprovalRequest];
      const body = await grant(a, "alice", keys.alice);
      const decide = async ({ requestId }: ApprovalRequest, signed: object, bearer: string) =>
        codeOf(await one.ask(`/v1/approvals/${requestId}/grants`, { token: bearer, body: signed }));
      expect(await decide(b, body, token)).toBe("400 EXO_ORDER");
      expect((await one.ask(`/v1/approvals/${a.requestId}/grants`, { token, body })).json["status"]).toBe("executed");
      const runs = one.rig.sandbox.jobs.length;
      const size = one.rig.ledger.size;
      // The very same again, as after a lost answer, is told how it stands, and counts for nothing.
      expect((await one.ask(`/v1/approvals/${a.requestId}/grants`, { token, body })).json["status"]).toBe("executed");
      expect([one.rig.sandbox.jobs.length, one.rig.ledger.size]).toEqual([runs, size]);
      expect(await decide(a, await grant(a, "alice", keys.alice), token)).toBe("409 EXO_APPROVAL_SPENT");
      one.rig.clock.advance(3_600_000);
      const late = await one.login("approver");
      expect(await decide(b, await grant(b, "alice", keys.alice), late)).toMatch(/EXO_APPROVAL_(?:EXPIRED|CLOSED)$/);
      expect(one.rig.sandbox.jobs.length).toBe(runs);
    } finally {
      await one.close();
    }
  });

  it("an order counts once: the switch does not move back by the same one", async () => {
    const one = await openPlane();
    try {
      const token = await one.login("admin");
      const send = async (body: object) => await one.ask("/v1/killswitch", { token, body });
      const off = await killOrder(false);
      expect((await send(off)).json["global"]).toBe(false);
      one.rig.clock.advance(1000);
      const on = await killOrder(true, { signedAt: formatTime(one.rig.clock.now()) });
      expect((await send(on)).json["global"]).toBe(true);
      const before = one.rig.ledger.size;
      expect((await send(off)).json["global"]).toBe(true);
      expect((await one.ask("/v1/killswitch", { token })).json["global"]).toBe(true);
      expect(one.rig.ledger.size).toBe(before);
    } finally {
      await one.close();
    }
  });

  it("a resolution closes its intent once, and no other", async () => {
    const one = await openPlane();
    try {
      one.rig.disk.onWrite = () => Promise.resolve("unknown");
      const token = await one.login("admin");
      const body = { action: "fs.write", parameters: { path: "data/a", text: "a" }, idempotencyKey: "doubt" };
      const id = String((await one.ask("/v1/intents", { token: agentToken(one), body })).json["intentId"]);
      const order = await resolution(id, "committed");
      const path = `/v1/intents/${id}/resolution`;
      expect((await one.ask(path, { token, body: order })).status).toBe(200);
      expect((await one.ask(path, { token, body: order })).status).toBeGreaterThanOrEqual(400);
      expect(codeOf(await one.ask(`/v1/intents/${ulid}/resolution`, { token, body: order }))).toBe(
        "404 EXO_INTENT_UNKNOWN",
      );
    } finally {
      await one.close();
    }
  });
});

describe("too much, and too slowly", () => {
  it.each(withBody.map(idOf))("%s: a body beyond its bound, announced or in pieces, is not kept", async (id) => {
    const route = rowOf(id);
    const most = route.body?.maxBytes ?? 0;
    const announced = await raw(`${headOf(route, [`Content-Length: ${most + 1}`])}\r\n`);
    expect(statuses(announced)).toEqual(["413"]);
    const piece = `10000\r\n${" ".repeat(65_536)}\r\n`;
    const pieces = piece.repeat(Math.ceil(most / 65_536) + 1);
    const chunked = await raw(`${headOf(route, ["Transfer-Encoding: chunked"])}\r\n${pieces}`);
    expect(statuses(chunked)).toEqual(["413"]);
    for (const got of [announced, chunked]) expect(got).toContain("EXO_JSON_SIZE");
  });

  it("a body or headers that trickle in are cut off in time, on every route, while others are answered", async () => {
    const one = await openPlane({
      listening: { timeouts: { headersMs: 1000, requestMs: 1500, idleMs: 60_000, graceMs: 1000 } },
    });
    try {
      const { port } = one.server;
      const own = await holdersOf(one);
      const bodies = withBody.map((route) => `${headOf(route, ["Content-Length: 100"], one.server, own)}\r\n{"a":`);
      const heads = routes.map((route) => headOf(route, [], one.server, own));
      const slow = [...bodies, ...heads].map((text) => raw(text, port));
      expect((await one.ask("/v1/health")).status).toBe(200);
      for (const got of await Promise.all(slow)) expect(statuses(got)).toEqual(["408"]);
      expect((await one.ask("/v1/health")).status).toBe(200);
    } finally {
      await one.close();
    }
  });
});

describe("two requests in one, and paths in disguise", () => {
  const host = () => `Host: 127.0.0.1:${plane.server.port}\r\n`;
  const hidden = () =>
    `DELETE /v1/auth/sessions/current HTTP/1.1\r\n${host()}Authorization: Bearer ${holders["admin"]}\r\n\r\n`;
  const post = (lines: readonly string[], rest: string) =>
    `POST /v1/auth/challenges HTTP/1.1\r\n${host()}Content-Type: application/json\r\n${lines.join("\r\n")}\r\n\r\n${rest}`;

  it.each<[string, () => string]>([
    ["two lengths", () => post(["Content-Length: 2", "Content-Length: 200"], `{}${hidden()}`)],
    ["a length in two parts", () => post(["Content-Length: 2, 200"], `{}${hidden()}`)],
    ["a length with a sign", () => post(["Content-Length: +2"], `{}${hidden()}`)],
    ["a length and pieces", () => post(["Content-Length: 5", "Transfer-Encoding: chunked"], `0\r\n\r\n${hidden()}`)],
    ["pieces that are none", () => post(["Transfer-Encoding: chunked, identity"], `0\r\n\r\n${hidden()}`)],
    ["pieces in another spelling", () => post(["Transfer-Encoding: xchunked"], `0\r\n\r\n${hidden()}`)],
    ["a space before the colon", () => post(["Transfer-Encoding : chunked"], `0\r\n\r\n${hidden()}`)],
    ["a folded header", () => post(["Content-Type: text/plain", " ; a"], `{}${hidden()}`)],
    ["a line without its return", () => `GET /v1/health HTTP/1.1\n${host()}\r\n${hidden()}`],
    ["a header with a zero", () => `GET /v1/health HTTP/1.1\r\n${host()}X: a\0b\r\n\r\n${hidden()}`],
    ["no method", () => `/v1/health HTTP/1.1\r\n${host()}\r\n${hidden()}`],
    ["a version of its own", () => `GET /v1/health HTTP/9.9\r\n${host()}\r\n${hidden()}`],
  ])("%s: refused, and what follows is not a request", async (_what, text) => {
    const got = await raw(text());
    expect(statuses(got)).toHaveLength(1);
    expect(Number(statuses(got)[0])).toBeGreaterThanOrEqual(400);
    expect((await plane.ask("/v1/whoami", { token: holders["admin"] })).status).toBe(200);
  });

  it("a body that a refused request left is not the next request", async () => {
    const smuggled = hidden();
    const got = await raw(post([`Content-Length: ${smuggled.length}`], smuggled));
    expect(statuses(got)).toEqual(["400"]);
    expect((await plane.ask("/v1/whoami", { token: holders["admin"] })).status).toBe(200);
  });

  it.each([
    ["ours twice", () => host().repeat(2)],
    ["ours, and another's", () => `${host()}Host: evil.example\r\n`],
    ["another's, and ours", () => `Host: evil.example\r\n${host()}`],
  ])("two hosts, %s: whom it is for is not guessed", async (_what, hosts) => {
    const got = await raw(`GET /v1/health HTTP/1.1\r\n${hosts()}Connection: close\r\n\r\n`);
    expect([statuses(got), got.includes("EXO_ORIGIN")]).toEqual([["403"], true]);
  });

  it.each([
    "//v1/policy",
    "/v1//policy",
    "/v1/policy/",
    "/V1/policy",
    "/v1/POLICY",
    "/v1/policy%00",
    "/v1%2fpolicy",
    "/v1/%70olicy",
    "/v1/intents/../policy/..",
    "/v1/intents/%2e%2e/policy",
    "/v1/policy;a=b",
    "/v1\\policy",
    "http://evil.example/v1/policy",
    "*",
  ])("%s is answered to nobody without a credential, and is no other route to whoever has one", async (path) => {
    const without = await raw(`GET ${path} HTTP/1.1\r\n${host()}Connection: close\r\n\r\n`);
    expect(Number(statuses(without)[0])).toBeGreaterThanOrEqual(400);
    const bearer = `Authorization: Bearer ${holders["agent"]}\r\n`;
    const as = await raw(`GET ${path} HTTP/1.1\r\n${host()}${bearer}Connection: close\r\n\r\n`);
    expect(Number(statuses(as)[0])).toBeGreaterThanOrEqual(400);
  });

  it.each(changing.map(idOf))("%s: a header cannot make another method of it", async (id) => {
    const route = rowOf(id);
    for (const name of ["x-http-method-override", "x-http-method", "x-method-override"]) {
      const headers = { [name]: route.method.toUpperCase() };
      const answer = await plane.ask(`${pathOf(route)}`, { method: "PATCH", token: holderOf(route), headers });
      expect(codeOf(answer)).toBe("405 EXO_METHOD");
    }
    const query = await plane.ask(`${pathOf(route)}?_method=${route.method}`, {
      method: "PUT",
      token: holderOf(route),
    });
    expect(codeOf(query)).toBe("405 EXO_METHOD");
  });

  it.each(["TRACE", "TRACK", "OPTIONS", "PUT", "PATCH", "PROPFIND"])(
    "%s: no such method, and no other origin is let in",
    async (method) => {
      for (const path of ["/v1/health", "/v1/intents", "/v1/killswitch"]) {
        const answer = await raw(
          `${method} ${path} HTTP/1.1\r\n${host()}Authorization: Bearer ${holders["admin"]}\r\nConnection: close\r\n\r\n`,
        );
        expect(Number(statuses(answer)[0])).toBeGreaterThanOrEqual(400);
        expect(answer.toLowerCase()).not.toContain("access-control-allow");
        expect(answer).not.toContain(holders["admin"]);
      }
    },
  );
});

describe("documents that two readers would read differently", () => {
  const twists = [
    ["a key twice", '{"a":1,"a":2}', "EXO_JSON_DUPLICATE_KEY"],
    ["a key twice, once escaped", '{"a":1,"\\u0061":2}', "EXO_JSON_DUPLICATE_KEY"],
    ["__proto__", '{"__proto__":{"roles":["admin"]}}', "EXO_JSON_FORBIDDEN_KEY"],
    ["a number beyond its precision", '{"a":9007199254740993}', "EXO_JSON_NUMBER"],
    ["a lone surrogate", '{"a":"\\ud800"}', "EXO_JSON_SURROGATE"],
    ["a comment", '{"a":1/**/}', "EXO_JSON_SYNTAX"],
    ["a second document", "{}{}", "EXO_JSON_SYNTAX"],
    ["a mark before it", "\ufeff{}", "EXO_JSON_SYNTAX"],
  ] as const;

  it.each(withBody.map(idOf))("%s takes none of them", async (id) => {
    const route = rowOf(id);
    for (const [what, text, code] of twists) {
      const answer = await plane.ask(pathOf(route), { method: "POST", token: holderOf(route), raw: text });
      expect([what, codeOf(answer)]).toEqual([what, `400 ${code}`]);
    }
  });
});
