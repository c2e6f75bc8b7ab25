import { request as httpsRequest } from "node:https";
import { connect } from "node:net";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { ApprovalRequest } from "../../src/contracts/approval.js";
import { encodeUtf8 } from "../../src/crypto/encoding.js";
import { ExoArmurError } from "../../src/errors.js";
import { readEvent, storedEvents } from "../../src/pipeline/recorder.js";
import { tlsFile } from "../support/http.js";
import { checkStore } from "../support/rig.js";
import { keys } from "../support/world.js";
import { codeOf, openPlane, type Plane, type PlaneOptions } from "./support.js";

let planes: Plane[] = [];

async function plane(options: PlaneOptions = {}): Promise<Plane> {
  const opened = await openPlane(options);
  planes.push(opened);
  return opened;
}

afterEach(async () => {
  for (const one of planes) await one.close();
  planes = [];
});

const agentOf = (one: Plane): string =>
  one.token({ kind: "agent", actor: { id: "report-agent", type: "agent" }, actions: ["fs.*"] });

const read = (idempotencyKey: string) => ({
  action: "fs.read",
  parameters: { path: "data/orders.csv" },
  idempotencyKey,
});

/** Sends bytes as they are and collects what comes back until the connection ends. */
async function raw(port: number, text: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(text));
    let got = "";
    socket.setEncoding("utf8").on("data", (part: string) => (got += part));
    socket.on("error", reject);
    socket.on("close", () => resolve(got));
  });
}

describe("where a request comes from", () => {
  it.each([
    ["another name", { host: "evil.example" }],
    ["another port", { host: "127.0.0.1:1" }],
    ["a name that begins like ours", { host: "localhost.evil.example" }],
    ["a page of another origin", { origin: "http://evil.example" }],
    ["a page of nowhere", { origin: "null" }],
    ["our name over another scheme", { origin: "https://127.0.0.1" }],
    ["a page of another site", { "sec-fetch-site": "cross-site" }],
    ["a page of a sister site", { "sec-fetch-site": "same-site" }],
  ])("%s: refused before anything else, on every route, and counted", async (_what, headers) => {
    const one = await plane();
    for (const path of ["/v1/health", "/v1/ready", "/v1/whoami", "/v1/auth/challenges", "/nowhere"]) {
      const method = path.endsWith("challenges") ? "POST" : "GET";
      const answer = await one.ask(path, {
        method,
        token: agentOf(one),
        headers: headers as unknown as Record<string, string>,
      });
      expect(codeOf(answer)).toBe("403 EXO_ORIGIN");
      expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
    }
  });

  it("our own names and our own page are let in", async () => {
    const one = await plane();
    const { port } = one.server;
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `LOCALHOST:${port}`, `[::1]:${port}`]) {
      const origin = `http://${host.toLowerCase()}`;
      const headers = { host, origin, "sec-fetch-site": "same-origin" };
      expect((await one.ask("/v1/health", { headers })).status).toBe(200);
    }
  });

  it("a public origin is another name; a challenge is bound to the one it was asked by", async () => {
    const one = await plane({ listening: { origin: "https://exoarmur.example.org", trustProxy: true } });
    const body = { keyId: keys.operator.keyId, role: "operator" };
    const there = await one.ask("/v1/auth/challenges", { body, headers: { host: "exoarmur.example.org" } });
    const here = await one.ask("/v1/auth/challenges", { body });
    expect(there.json["audience"]).toBe("https://exoarmur.example.org");
    expect(here.json["audience"]).toBe(`http://127.0.0.1:${one.server.port}`);
  });

  it("a request without Host, and one of two lengths, are none", async () => {
    const one = await plane();
    const { port } = one.server;
    expect(await raw(port, "GET /v1/health HTTP/1.1\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 /);
    const two = `POST /v1/intents HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`;
    expect(await raw(port, two)).toMatch(/^HTTP\/1\.1 400 /);
  });
});

describe("bodies", () => {
  it.each([
    ["no media type", { headers: { "content-type": "" } }, "415 EXO_MEDIA_TYPE"],
    [
      "a form, as a page can send it unasked",
      { headers: { "content-type": "application/x-www-form-urlencoded" } },
      "415 EXO_MEDIA_TYPE",
    ],
    ["plain text, the same", { headers: { "content-type": "text/plain" } }, "415 EXO_MEDIA_TYPE"],
    ["another charset", { headers: { "content-type": "application/json; charset=utf-16" } }, "415 EXO_MEDIA_TYPE"],
    ["nothing", { raw: "" }, "400 EXO_JSON_SYNTAX"],
    ["no JSON", { raw: "{" }, "400 EXO_JSON_SYNTAX"],
    ["a key twice", { raw: '{"action":"fs.read","action":"fs.write"}' }, "400 EXO_JSON_DUPLICATE_KEY"],
    ["__proto__", { raw: '{"__proto__":{"action":"fs.read"}}' }, "400 EXO_JSON_FORBIDDEN_KEY"],
    ["depth", { raw: `${"[".repeat(200)}${"]".repeat(200)}` }, "400 EXO_JSON_DEPTH"],
    ["no UTF-8", { raw: Uint8Array.of(0x22, 0xff, 0x22) }, "400 EXO_JSON_UTF8"],
    ["an array", { raw: "[]" }, "400 EXO_SCHEMA"],
  ])("%s: refused", async (_what, ask, code) => {
    const one = await plane();
    expect(codeOf(await one.ask("/v1/intents", { method: "POST", token: agentOf(one), body: read("a"), ...ask }))).toBe(
      code,
    );
  });

  it("one byte beyond the bound, announced or not, is not kept", async () => {
    const one = await plane();
    const body = `"${"a".repeat(4095)}"`;
    expect(codeOf(await one.ask("/v1/auth/challenges", { raw: body }))).toBe("413 EXO_JSON_SIZE");
    const chunked = { raw: body, headers: { "transfer-encoding": "chunked" } };
    const answer = await one.ask("/v1/auth/challenges", chunked);
    expect([codeOf(answer), answer.headers["connection"]]).toEqual(["413 EXO_JSON_SIZE", "close"]);
    const within = `"${"a".repeat(4094)}"`;
    expect(codeOf(await one.ask("/v1/auth/challenges", { raw: within }))).toBe("400 EXO_SCHEMA");
  });

  it("a length beyond the bound is refused before the body comes", async () => {
    const one = await plane();
    const { port } = one.server;
    const head = `POST /v1/auth/challenges HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\n`;
    expect(await raw(port, `${head}Content-Length: 4097\r\n\r\n`)).toMatch(/^HTTP\/1\.1 413 /);
  });

  it("a body without an end is cut off at the bound", async () => {
    const one = await plane();
    const { port } = one.server;
    const head = `POST /v1/auth/challenges HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const got = await raw(port, `${head}${`1000\r\n${" ".repeat(4096)}\r\n`.repeat(3)}`);
    expect(got).toMatch(/^HTTP\/1\.1 413 /);
  });

  it("a body, or headers, that trickle in are cut off in time, while others are answered", async () => {
    const timeouts = { headersMs: 300, requestMs: 600, idleMs: 60_000, graceMs: 1000 };
    const one = await plane({ listening: { timeouts } });
    const { port } = one.server;
    const head = `POST /v1/auth/challenges HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\n`;
    const slow = [raw(port, `${head}Content-Length: 100\r\n\r\n{"keyId":`), raw(port, head)];
    expect((await one.ask("/v1/health")).status).toBe(200);
    for (const got of await Promise.all(slow)) expect(got).toMatch(/^HTTP\/1\.1 408 /);
    expect((await one.ask("/v1/health")).status).toBe(200);
  });

  it("headers beyond 16 KiB are refused", async () => {
    const one = await plane();
    const huge = `GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1:${one.server.port}\r\nX-A: ${"a".repeat(20_000)}\r\n\r\n`;
    expect(await raw(one.server.port, huge)).toMatch(/^HTTP\/1\.1 431 /);
  });
});

describe("limits", () => {
  const slow = { burst: 3, perSecond: 0.5 };

  it("of one credential, whatever it asks, and nobody else's", async () => {
    const one = await plane({ limits: { principal: slow } });
    const [token, other] = [agentOf(one), agentOf(one)];
    const statuses: number[] = [];
    for (let n = 0; n < 4; n++) statuses.push((await one.ask("/v1/whoami", { token })).status);
    expect(statuses).toEqual([200, 200, 200, 429]);
    const refused = await one.ask("/v1/openapi.json", { token });
    expect([codeOf(refused), refused.headers["retry-after"]]).toEqual(["429 EXO_RATE", "2"]);
    expect((await one.ask("/v1/whoami", { token: other })).status).toBe(200);
    one.rig.clock.advance(2000);
    expect((await one.ask("/v1/whoami", { token })).status).toBe(200);
    expect((await one.ask("/v1/whoami", { token })).status).toBe(429);
  });

  it("of one address that has no credential that counts; who has one at that address goes on", async () => {
    const one = await plane({ limits: { address: slow } });
    const token = agentOf(one);
    const wrong = `${token.slice(0, -8)}AAAAAAAA`;
    const statuses: number[] = [];
    for (let n = 0; n < 4; n++) statuses.push((await one.ask("/v1/whoami", { token: wrong })).status);
    expect(statuses).toEqual([401, 401, 401, 429]);
    expect((await one.ask("/v1/whoami", { token })).status).toBe(200);
    // Logging in has a bucket of its own.
    await one.login("admin");
    const body = { keyId: keys.operator.keyId, role: "operator" };
    expect((await one.ask("/v1/auth/challenges", { body })).status).toBe(200);
    expect(codeOf(await one.ask("/v1/auth/challenges", { body }))).toBe("429 EXO_RATE");
    expect((await one.ask("/v1/health")).status).toBe(200);
  });

  it("behind a proxy the address is what the proxy adds, not what the client writes", async () => {
    const one = await plane({ limits: { address: slow }, listening: { trustProxy: true } });
    const from = async (forwarded: string) =>
      (await one.ask("/v1/whoami", { headers: { "x-forwarded-for": forwarded } })).status;
    for (const invented of ["1.1.1.1", "2.2.2.2", "3.3.3.3"]) expect(await from(`${invented}, 192.0.2.1`)).toBe(401);
    expect(await from("4.4.4.4, 192.0.2.1")).toBe(429);
    expect(await from("192.0.2.1, 192.0.2.2")).toBe(401);
  });

  it("without a proxy nobody is told by a header who asks", async () => {
    const one = await plane({ limits: { address: slow } });
    const statuses: number[] = [];
    for (let n = 0; n < 4; n++) {
      statuses.push((await one.ask("/v1/whoami", { headers: { "x-forwarded-for": `10.0.0.${n}` } })).status);
    }
    expect(statuses).toEqual([401, 401, 401, 429]);
  });

  it("of documents that one page looks at: it holds what it found, and its cursor goes on", async () => {
    const one = await plane({ limits: { scan: 2, indexed: 0 } });
    const [mine, other, reader] = [agentOf(one), one.token({ kind: "viewer" }, "other"), one.token({ kind: "viewer" })];
    for (const key of ["a", "b", "c", "d", "e"]) await one.ask("/v1/intents", { token: mine, body: read(key) });
    const pages = async (token: string): Promise<number[]> => {
      const counts: number[] = [];
      let cursor = "";
      do {
        const { json } = await one.ask(`/v1/intents${cursor}`, { token });
        counts.push((json["items"] as object[]).length);
        cursor = json["nextCursor"] === null ? "" : `?cursor=${String(json["nextCursor"])}`;
      } while (cursor !== "");
      return counts;
    };
    expect(await pages(reader)).toEqual([2, 2, 1]);
    expect(await pages(other)).toEqual([0, 0, 0]);
  });

  it("of polls at once", async () => {
    const one = await plane({ limits: { inFlight: 2 } });
    const [token, other] = [agentOf(one), agentOf(one)];
    const body = { action: "fs.remove", parameters: { path: "data/a.csv" }, idempotencyKey: "a" };
    const { intentId } = (await one.ask("/v1/intents", { token, body })).json;
    const poll = async () => await one.ask(`/v1/intents/${String(intentId)}/wait?waitMs=30000`, { token });
    const waits = vi.spyOn(one.rig.pipeline, "wait");
    const polls = [poll(), poll()];
    await vi.waitFor(() => expect(waits).toHaveBeenCalledTimes(2));
    expect(codeOf(await one.ask("/v1/whoami", { token }))).toBe("429 EXO_RATE");
    expect((await one.ask("/v1/whoami", { token: other })).status).toBe(200);
    await one.server.close();
    for (const done of await Promise.all(polls))
      expect([done.status, done.json["status"]]).toEqual([202, "approval_pending"]);
  });
});

describe("denied access in the log", () => {
  const deniedIn = (one: Plane) =>
    storedEvents(one.rig.store, "default", "system")
      .map(readEvent)
      .filter(({ eventType }) => eventType === "access_denied")
      .map(({ payload }) => payload["denials"] as Record<string, unknown>[]);

  it("every kind, counted, with nothing in it that the requester chose", async () => {
    const one = await plane();
    const token = agentOf(one);
    const credential = token.split("_")[2];
    await one.ask("/v1/whoami");
    for (let n = 0; n < 3; n++) await one.ask("/v1/whoami", { token: `${token.slice(0, -8)}AAAAAAAA` });
    await one.ask("/v1/policy", { token });
    await one.ask("/v1/intents", { token, body: { ...read("a"), tenantId: "secret-name" } });
    await one.ask("/v1/secret-path", { headers: { host: "secret.example" } });
    await one.ask("/v1/auth/sessions", {
      body: { payloadType: "secret", payload: "", signatures: [{ keyid: keys.alice.keyId, sig: "" }] },
    });
    await one.server.close();
    const rows = deniedIn(one).flat();
    const row = (code: string, cause: string, route: string | null, credential: string | null, count: number) => ({
      code,
      cause,
      route,
      credential,
      count,
    });
    expect(rows).toEqual([
      row("EXO_AUTHENTICATION", "no_credential", "whoAmI", null, 1),
      row("EXO_AUTHENTICATION", "wrong_secret", "whoAmI", null, 3),
      row("EXO_FORBIDDEN", "role", "getPolicy", credential ?? "", 1),
      row("EXO_FORBIDDEN", "tenant", "submitIntent", credential ?? "", 1),
      row("EXO_ORIGIN", "host", null, null, 1),
      row("EXO_AUTHENTICATION", "signature", "openSession", null, 1),
    ]);
    expect(JSON.stringify(rows)).not.toContain("secret-");
    checkStore(one.rig);
  });

  it("a flood adds at most one event a window", async () => {
    const one = await plane();
    const before = one.rig.ledger.size;
    for (let n = 0; n < 200; n++) await one.ask(`/v1/intents/${n}`, { token: "x" });
    await vi.waitFor(() => expect(one.rig.ledger.size).toBe(before + 1));
    await one.server.close();
    expect(one.rig.ledger.size).toBe(before + 2);
    const rows = deniedIn(one).flat();
    expect(rows.reduce((sum, { count }) => sum + (count as number), 0)).toBe(200);
  });
});

describe("faults and the end", () => {
  it.each([
    ["nobody foresaw", new Error("a secret of the inside")],
    ["is a broken invariant", new ExoArmurError("EXO_INTERNAL", "a secret of the inside")],
  ])("what %s is told by its request id alone, and logged under it", async (_what, fault) => {
    const one = await plane();
    const token = one.token({ kind: "viewer" });
    vi.spyOn(one.rig.pipeline.executors, "list").mockImplementation(() => {
      throw fault;
    });
    const answer = await one.ask("/v1/plugins", { token });
    expect(codeOf(answer)).toBe("500 EXO_INTERNAL");
    expect(answer.text).not.toContain("secret");
    expect(answer.json["requestId"]).toBe(answer.headers["x-request-id"]);
    const logged = one.logged.filter((line) => line.startsWith("error"));
    expect(logged).toEqual([expect.stringContaining(String(answer.json["requestId"]))]);
    expect(logged[0]).toContain("a secret of the inside");
  });

  it("a problem document has type, title, status, detail, code", async () => {
    const one = await plane();
    const answer = await one.ask("/v1/whoami");
    expect(answer.headers["www-authenticate"]).toBe("Bearer");
    expect(answer.json).toEqual({
      type: "urn:exoarmur:error:EXO_AUTHENTICATION",
      title: "A request has no credential that counts: none, unknown, expired or revoked.",
      status: 401,
      detail: "expected Authorization: Bearer and a credential",
      code: "EXO_AUTHENTICATION",
      requestId: answer.headers["x-request-id"],
      nextSteps: [
        { step: "new_credential", by: "operator", text: "make a credential that counts: exoarmur tokens new" },
      ],
    });
  });

  it("a token that is revoked while a connection is open counts no more on it", async () => {
    const one = await plane();
    const token = agentOf(one);
    expect((await one.ask("/v1/whoami", { token })).status).toBe(200);
    const [id, record] = [...one.tokens.entries()][0] ?? [];
    if (id === undefined || record === undefined) throw new Error("no token");
    one.tokens.set(id, { ...record, revokedAt: record.createdAt });
    expect(codeOf(await one.ask("/v1/whoami", { token }))).toBe("401 EXO_AUTHENTICATION");
  });

  it("when it closes what runs is answered, polls end, and no more is taken", async () => {
    const one = await plane();
    const token = agentOf(one);
    const body = { action: "fs.remove", parameters: { path: "data/a.csv" }, idempotencyKey: "a" };
    const pending = await one.ask("/v1/intents", { token, body });
    const request = pending.json["approval"] as ApprovalRequest;
    const waits = vi.spyOn(one.rig.pipeline, "wait");
    const poll = one.ask(`/v1/intents/${request.intentId}/wait?waitMs=30000`, { token });
    const hold = connect(one.server.port, "127.0.0.1").on("error", () => undefined);
    await new Promise((resolve) => hold.once("connect", resolve));
    await vi.waitFor(() => expect(waits).toHaveBeenCalled());
    const closed = one.server.close();
    expect((await poll).json).toEqual(pending.json);
    await closed;
    await expect(one.ask("/v1/health")).rejects.toThrow("ECONNREFUSED");
    hold.destroy();
  });

  it("a request that comes while it closes is not taken, and readiness says so", async () => {
    const one = await plane();
    const { port } = one.server;
    const dial = async () => {
      const socket = connect(port, "127.0.0.1").on("error", () => undefined);
      await new Promise((resolve) => socket.once("connect", resolve));
      return socket;
    };
    const [late, probe, slow] = [await dial(), await dial(), await dial()];
    const goOn = vi.fn<() => void>();
    const head = `Host: 127.0.0.1:${port}\r\n`;
    slow.write(
      `POST /v1/auth/challenges HTTP/1.1\r\n${head}Content-Type: application/json\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n`,
    );
    slow.once("data", goOn);
    // Asked to go on, so that its request is one of those under way.
    await vi.waitFor(() => expect(goOn).toHaveBeenCalled());
    const closed = one.server.close();
    const answerOn = async (socket: typeof late, path: string): Promise<string> => {
      socket.write(`GET ${path} HTTP/1.1\r\n${head}Authorization: Bearer ${agentOf(one)}\r\n\r\n`);
      return await new Promise((resolve) => socket.setEncoding("utf8").once("data", (text: string) => resolve(text)));
    };
    expect(await answerOn(late, "/v1/whoami")).toMatch(/^HTTP\/1\.1 503 /);
    expect(await answerOn(probe, "/v1/ready")).toMatch(/^HTTP\/1\.1 503 /);
    slow.destroy();
    await closed;
  });

  it("a port that is taken is EXO_LISTEN", async () => {
    const one = await plane();
    await expect(plane({ listening: { port: one.server.port } })).rejects.toMatchObject({ code: "EXO_LISTEN" });
  });

  it("over TLS it answers, plain HTTP is none of it, and a certificate that is none is EXO_KEY", async () => {
    const [cert, key] = [tlsFile("server.pem"), tlsFile("server.key")].map(encodeUtf8);
    if (cert === undefined || key === undefined) throw new Error("no certificate");
    const one = await plane({ listening: { tls: { cert, key } } });
    const { port } = one.server;
    expect(one.server.origin).toBe(`https://127.0.0.1:${port}`);
    const answer = await new Promise<{ status: number; hsts: unknown }>((resolve, reject) => {
      const sent = httpsRequest(
        { host: "127.0.0.1", port, path: "/v1/health", rejectUnauthorized: false, agent: false },
        (got) => {
          got.resume();
          resolve({ status: got.statusCode ?? 0, hsts: got.headers["strict-transport-security"] });
        },
      );
      sent.on("error", reject);
      sent.end();
    });
    expect(answer).toEqual({ status: 200, hsts: "max-age=31536000" });
    await expect(one.ask("/v1/health")).rejects.toThrow("socket hang up");
    const bad = new TextEncoder().encode("no certificate");
    await expect(plane({ listening: { tls: { cert: bad, key: bad } } })).rejects.toMatchObject({ code: "EXO_KEY" });
  });
});
