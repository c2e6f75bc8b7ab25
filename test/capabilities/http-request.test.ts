import { describe, expect, it } from "vitest";
import { digestOf } from "../../src/canonical/digest.js";
import { encodeAbi } from "../../src/canonical/msgpack.js";
import { writeStateOf } from "../../src/capabilities/answers.js";
import { createBroker } from "../../src/capabilities/broker.js";
import { checkGrant } from "../../src/capabilities/grant-check.js";
import { readRequest } from "../../src/capabilities/schemas.js";
import { createPlayer } from "../../src/capabilities/transcript-player.js";
import type { HostCall } from "../../src/contracts/execution.js";
import { type HttpAllow, httpAllowSchema } from "../../src/contracts/http.js";
import { httpMethods } from "../../src/contracts/http-methods.js";
import type { Constraints } from "../../src/contracts/manifest.js";
import type { AbiValue, Performer } from "../../src/ports.js";
import { answerOf, callOf, calm, codeOf, grantsOf } from "./support.js";

const none = new Uint8Array(0);
const request = (change: Readonly<Record<string, AbiValue>> = {}): Readonly<Record<string, AbiValue>> => ({
  method: "GET",
  url: "https://api.example.com/v1/orders?since=1",
  headers: {},
  body: none,
  ...change,
});
const api: HttpAllow = {
  scheme: "https",
  host: "api.example.com",
  port: 443,
  methods: ["GET", "POST"],
  pathPrefix: "/v1",
};

describe("the request", () => {
  it.each([
    ["a GET", {}],
    ["a POST with a body", { method: "POST", body: Uint8Array.of(1, 2) }],
    ["a POST without one", { method: "POST" }],
    ["headers", { headers: { accept: "text/plain", "x-a_b": "", "x-tab": "a\tb" } }],
    ["64 headers", { headers: Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`x-${i}`, "v"])) }],
    ["a URL that is not in normal form, which is for the grant to deny", { url: "http://EXAMPLE.com" }],
  ])("%s", (_, change) => {
    expect(readRequest("http_request", encodeAbi(request(change))).ok).toBe(true);
  });

  it.each([
    ["a method in lower case", { method: "get" }],
    ["a method of the connection", { method: "CONNECT" }],
    ["TRACE", { method: "TRACE" }],
    ["no method", { method: null }],
    ["an empty URL", { url: "" }],
    ["a URL of 8,193 characters", { url: `https://x/${"a".repeat(8183)}` }],
    ["a URL as bytes", { url: none }],
    ["a body with GET", { body: Uint8Array.of(1) }],
    ["a body with HEAD", { method: "HEAD", body: Uint8Array.of(1) }],
    ["a body as text", { method: "POST", body: "x" }],
    ["no body", { body: null }],
    ["headers as an array", { headers: [] }],
    ["no headers", { headers: null }],
    ["a name with upper-case letters", { headers: { Accept: "x" } }],
    ["an empty name", { headers: { "": "x" } }],
    ["a name with a colon", { headers: { "a:b": "x" } }],
    ["a name with a blank", { headers: { "a ": "x" } }],
    ["a name beyond ASCII", { headers: { é: "x" } }],
    ["a name of 101 characters", { headers: { ["a".repeat(101)]: "x" } }],
    ["a value with a line end", { headers: { a: "x\r\nhost: y" } }],
    ["a value with a NUL", { headers: { a: "x\0y" } }],
    ["a value beyond ASCII", { headers: { a: "é" } }],
    ["a value with an outer blank", { headers: { a: " x" } }],
    ["a value of 8,193 characters", { headers: { a: "x".repeat(8193) } }],
    ["a value that is a number", { headers: { a: 1 } }],
    ["a value that is a list", { headers: { a: ["x"] } }],
    ["host", { headers: { host: "other.example.com" } }],
    ["the effect's name", { headers: { "idempotency-key": "mine" } }],
    ["accept-encoding", { headers: { "accept-encoding": "gzip" } }],
    ["content-length", { headers: { "content-length": "0" } }],
    ["transfer-encoding", { headers: { "transfer-encoding": "chunked" } }],
    ["connection", { headers: { connection: "close" } }],
    ["a proxy's field", { headers: { "proxy-authorization": "x" } }],
    ["65 headers", { headers: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`x-${i}`, "v"])) }],
    ["an unknown member", { redirect: "follow" }],
  ])("refuses %s", (_, change) => {
    const read = readRequest("http_request", encodeAbi(request(change)));
    expect(read.ok ? "ok" : read.error.code).toBe("EXO_CAPABILITY_REQUEST");
    expect(read.ok ? "" : read.error.message).toMatch(/^http_request expects \{method: /);
  });

  it("refuses a large map before it makes anything of it", () => {
    const many = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`x-${index}`, ""]));
    for (const headers of [many, Object.fromEntries(Object.entries(many).slice(0, 65))]) {
      const read = readRequest("http_request", encodeAbi(request({ headers })));
      expect(read.ok ? "ok" : read.error.code).toBe("EXO_CAPABILITY_REQUEST");
      expect(read.ok ? "" : read.error.message).toMatch(/the request is not such a msgpack map$/);
    }
  });

  it("leaves every other request flat", () => {
    const read = readRequest("fs_read", encodeAbi({ path: "data/a", offset: { a: 1 } }));
    expect(read.ok ? "ok" : read.error.message).toMatch(/the request is not such a msgpack map$/);
  });
});

const check = (constraints: Constraints, change: Readonly<Record<string, AbiValue>> = {}): string => {
  const result = checkGrant(grantsOf({ http_request: constraints }), "http_request", request(change), "hook");
  return result.ok ? "ok" : `${result.error.code}: ${result.error.message}`;
};
const reach = (url: string, entry: Partial<HttpAllow> = {}): string =>
  check({ allow: [{ ...api, ...entry }] }, { url });

describe("the grant", () => {
  it("reaches its places", () => {
    for (const url of [
      "https://api.example.com/v1",
      "https://api.example.com/v1/",
      "https://api.example.com/v1/a?b=https://other.example.com/",
    ]) {
      expect([url, reach(url)]).toEqual([url, "ok"]);
    }
    expect(reach("https://api.example.com/other", { pathPrefix: "/" })).toBe("ok");
    expect(reach("http://api.example.com:8080/v1/a", { scheme: "http", port: 8080 })).toBe("ok");
    expect(check({ allow: [{ ...api, host: "x" }, api] })).toBe("ok");
  });

  it.each([
    "http://api.example.com/v1",
    "https://api.example.com:8443/v1",
    "https://example.com/v1",
    "https://api.example.com.evil.example/v1",
    "https://xapi.example.com/v1",
    "https://api.example.com/v2",
    "https://api.example.com/v10",
    "https://api.example.com/",
    "https://api.example.com/V1",
    "wss://api.example.com/v1",
  ])("does not reach %s", (url) => {
    expect(reach(url)).toMatch(/^EXO_CAPABILITY_DENIED: http_request is not granted for this request/);
  });

  it.each([
    "https://user@api.example.com/v1",
    "https://user:pass@api.example.com/v1",
    "https://api.example.com@evil.example/v1",
    "https://api.example.com\\@evil.example/v1",
    "https://API.example.com/v1",
    "https://api.example.com./v1",
    "https://api.example.com:443/v1",
    "https://api.example.com/v1/../v2",
    "https://api.example.com/v1/%2e%2e/v2",
    "https://api.example.com/v1/%2f",
    "https://api.example.com//v1",
    "https://api.example.com/v1#x",
    "https://api.example.com/v1\r\nhost: evil",
    "https://api.example.com/v1 ",
    "https://api.exämple.com/v1",
    "https://[::1]/v1",
    "https://0x7f.1/v1",
    "https://127.1/v1",
    "//api.example.com/v1",
    "https:api.example.com/v1",
    "api.example.com/v1",
    "file:///etc/passwd",
  ])("takes %j for no URL", (url) => {
    expect(reach(url)).toMatch(/^EXO_CAPABILITY_DENIED: http_request expects an http or https URL in normal form/);
  });

  it("reaches exactly one label where its host begins with a wildcard", () => {
    const host = "*.example.com";
    expect(reach("https://api.example.com/v1", { host })).toBe("ok");
    expect(reach("https://a_b-1.example.com/v1", { host })).toBe("ok");
    for (const other of [
      "example.com",
      "a.api.example.com",
      "apiexample.com",
      "api.example.org",
      "x.api.example.com",
    ]) {
      expect(reach(`https://${other}/v1`, { host })).toMatch(/^EXO_CAPABILITY_DENIED: http_request is not granted/);
    }
    for (const other of [".example.com", "*.example.com", "api..example.com"]) {
      expect(reach(`https://${other}/v1`, { host })).toMatch(/^EXO_CAPABILITY_DENIED/);
    }
  });

  it("does not reach with another method", () => {
    expect(check({ allow: [api] }, { method: "POST" })).toBe("ok");
    for (const method of ["HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
      expect(check({ allow: [api] }, { method })).toMatch(/^EXO_CAPABILITY_DENIED/);
    }
  });

  it("reaches nothing without places, or with an empty list, or with paths of files", () => {
    for (const constraints of [{}, { allow: [] }, { allow: [api], paths: ["data"] }, { allow: [api], paths: [] }]) {
      expect(check(constraints)).toMatch(/^EXO_CAPABILITY_DENIED/);
    }
  });

  it("is needed", () => {
    const result = checkGrant(grantsOf({}), "http_request", request(), "hook");
    expect(result).toEqual({
      ok: false,
      error: {
        code: "EXO_CAPABILITY_DENIED",
        message:
          'http_request is not granted; its manifest must list it and config.json must grant it: "grants": {"hook":{"http_request":{"allow":[]}}}',
      },
    });
  });

  it("bounds the body", () => {
    const post = { method: "POST", body: new Uint8Array(11) };
    expect(check({ allow: [api], maxBytes: 11 }, post)).toBe("ok");
    expect(check({ allow: [api], maxBytes: 10 }, post)).toMatch(/at most 10 bytes a call/);
  });

  it.each([
    ["another scheme", { scheme: "ftp" }],
    ["an upper-case host", { host: "API.example.com" }],
    ["a wildcard of its own", { host: "*" }],
    ["a wildcard in the middle", { host: "api.*.com" }],
    ["a wildcard of part of a label", { host: "*api.example.com" }],
    ["a wildcard of two labels", { host: "*.*.com" }],
    ["a wildcard of an address", { host: "*.0.0.1" }],
    ["a wildcard before an address", { host: "*.127.0.0.1" }],
    ["a wildcard without a name", { host: "*." }],
    ["no network", { networks: [] }],
    ["an unknown network", { networks: ["public"] }],
    ["a host with a port", { host: "api.example.com:443" }],
    ["an IPv6 host", { host: "[::1]" }],
    ["port 0", { port: 0 }],
    ["port 65536", { port: 65_536 }],
    ["no port", { port: undefined }],
    ["no method", { methods: [] }],
    ["an unknown method", { methods: ["CONNECT"] }],
    ["a path without its slash", { pathPrefix: "v1" }],
    ["a path with dots", { pathPrefix: "/v1/../v2" }],
    ["an unknown member", { query: "x" }],
  ])("is not written with %s", (_, change) => {
    expect(httpAllowSchema.safeParse(api).success).toBe(true);
    expect(httpAllowSchema.safeParse({ ...api, ...change }).success).toBe(false);
  });
});

describe("the call", () => {
  const effectBase = digestOf(none);
  const grants = grantsOf({ http_request: { allow: [api] } });
  const post = callOf(0, "http_request", request({ method: "POST" }));

  it("on a host that cannot perform it ends the run with a code of its own", async () => {
    const broker = createBroker({ grants, performers: {}, journal: () => Promise.resolve(), effectBase });
    expect(await broker.call(post, calm)).toEqual({
      kind: "stop",
      status: "host_fault",
      code: "EXO_CAPABILITY_UNAVAILABLE",
      message: "this host cannot perform http_request",
    });
    expect(broker.transcript().map(({ outcome }) => outcome)).toEqual(["error"]);
    expect([broker.writes(), broker.effects()]).toEqual(["none", []]);
  });

  it("outside its grant is denied on any host, and the run goes on", async () => {
    const broker = createBroker({ grants, performers: {}, journal: () => Promise.resolve(), effectBase });
    const answer = await broker.call(callOf(0, "http_request", request({ url: "https://evil.example/" })), calm);
    expect(codeOf(answer)).toBe("EXO_CAPABILITY_DENIED");
    expect(broker.denied()).toMatchObject({ seq: 0, capability: "http_request" });
  });

  it("is a write-effect: journaled, then performed, and replayed without a performer", async () => {
    const steps: unknown[] = [];
    const ok = { status: 200, headers: { "content-type": "text/plain" }, body: Uint8Array.of(104, 105) };
    const http_request: Performer = {
      perform: (asked, constraints) => {
        steps.push(asked, constraints);
        return { outcome: "ok", value: ok };
      },
    };
    const journal = (effect: { readonly capability: string }): Promise<void> => {
      steps.push(effect.capability);
      return Promise.resolve();
    };
    const broker = createBroker({ grants, performers: { http_request }, journal, effectBase });
    const answer = await broker.call(post, calm);
    expect(answerOf(answer)).toEqual({ ok });
    expect(steps).toEqual(["http_request", request({ method: "POST" }), { allow: [api], maxBytes: 16_777_216 }]);
    expect(broker.writes()).toBe("committed");

    const player = createPlayer(broker.transcript());
    expect(player.call(post)).toEqual(answer);
    const other = createPlayer(broker.transcript());
    expect(other.call(callOf(0, "http_request", request({ method: "GET" })))).toMatchObject({
      kind: "stop",
      code: "EXO_REPLAY_DIVERGED",
    });
  });

  const throwing: Performer = { perform: () => Promise.reject(new Error("broken pipe")) };
  const vague: Performer = {
    perform: () => ({ outcome: "unknown", code: "EXO_HTTP_NO_ANSWER", message: "no answer" }),
  };
  const everyMethod = grantsOf({ http_request: { allow: [{ ...api, methods: [...httpMethods] }] } });
  /** Asks once; gives the code, what the run wrote, the recorded outcome and how often the journal was asked. */
  async function ask(http_request: Performer, method: string): Promise<readonly unknown[]> {
    let journaled = 0;
    const journal = (): Promise<void> => {
      journaled += 1;
      return Promise.resolve();
    };
    const broker = createBroker({ grants: everyMethod, performers: { http_request }, journal, effectBase });
    const code = codeOf(await broker.call(callOf(0, "http_request", request({ method })), calm));
    const entries = broker.transcript();
    expect(writeStateOf(entries)).toBe(broker.writes());
    return [code, broker.writes(), entries[0]?.outcome, journaled];
  }

  it.each(["POST", "PUT", "PATCH", "DELETE"])("that has no answer may have happened: %s", async (method) => {
    for (const performer of [throwing, vague]) {
      expect(await ask(performer, method)).toEqual(["EXO_EFFECT_UNKNOWN", "unknown", "unknown", 1]);
    }
  });

  it.each(["GET", "HEAD", "OPTIONS"])("that only reads is an error without one: %s", async (method) => {
    for (const performer of [throwing, vague]) {
      expect(await ask(performer, method)).toEqual(["EXO_HTTP_NO_ANSWER", "none", "error", 0]);
    }
  });

  it("whose recorded request cannot be read counts as a write", () => {
    for (const recorded of ["", "AAAA", "!", "gqZtZXRob2Sj"]) {
      const entry = { capability: "http_request", outcome: "ok", request: recorded };
      expect(writeStateOf([entry as HostCall])).toBe("committed");
    }
  });
});
