import canonicalize from "canonicalize";
import { beforeEach, describe, expect, test } from "vitest";
import { loadModule, MockHost, type Outcome, Refusal } from "./mock-host.js";

const module = loadModule("plugins/http.wasm");
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const url = "https://api.example.com/v1/orders";

type Reply = { status: number; headers: Record<string, unknown>; body: Uint8Array };
let reply: Reply;
let host: MockHost;

beforeEach(() => {
  reply = { status: 200, headers: { "content-type": "application/json" }, body: utf8('{"b":[1,2.50],"a":null}') };
  host = new MockHost({ http_request: () => reply });
});

/** Runs a function of the plugin; a good answer must be canonical JSON. */
function run(name: string, parameters: unknown): Outcome {
  const outcome = host.run(module, name, typeof parameters === "string" ? parameters : JSON.stringify(parameters));
  const canonical = outcome.code === 0 ? canonicalize(JSON.parse(outcome.text)) : outcome.text;
  expect(outcome.text).toBe(canonical);
  return outcome;
}

/** The one request that a run made. */
function sent(name: string, parameters: unknown): Record<string, unknown> {
  host.calls.length = 0;
  expect(run(name, parameters)).toMatchObject({ code: 0, error: null });
  expect(host.calls.map((call) => call.name)).toEqual(["http_request"]);
  return host.calls[0]?.request ?? {};
}

describe("what is asked", () => {
  test("get", () => {
    expect(sent("get", { url })).toEqual({ method: "GET", url, headers: {}, body: new Uint8Array() });
    expect(
      sent("get", { url, headers: { accept: "application/json", authorization: "Bearer {{secret:API}}" } }),
    ).toEqual({
      method: "GET",
      url,
      headers: { accept: "application/json", authorization: "Bearer {{secret:API}}" },
      body: new Uint8Array(),
    });
  });

  test("every method, GET when none is named", () => {
    for (const method of ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
      expect(sent("request", { url, method })).toMatchObject({ method, headers: {}, body: new Uint8Array() });
    expect(sent("request", { url })).toMatchObject({ method: "GET" });
  });

  test("a JSON body is the canonical form of the parameter, to the byte", () => {
    for (const json of [
      { z: 1, a: [true, null, "é\u0000😀"], "\ud83d\ude00": 1, "\ue000": 2, "": {} },
      [],
      null,
      false,
      0,
      1e21,
      -1.5e-7,
      "",
    ]) {
      const { headers, body } = sent("request", { url, method: "POST", json });
      expect(headers).toEqual({ "content-type": "application/json" });
      expect(Buffer.from(body as Uint8Array).toString()).toBe(canonicalize(json));
    }
  });

  test("text and bytes", () => {
    expect(sent("request", { url, method: "PUT", text: "größe" })).toMatchObject({
      headers: { "content-type": "text/plain; charset=utf-8" },
      body: utf8("größe"),
    });
    expect(sent("request", { url, method: "PUT", base64: "/wA=" })).toMatchObject({
      headers: { "content-type": "application/octet-stream" },
      body: Uint8Array.of(255, 0),
    });
    const headers = { "content-type": "application/vnd.x+json", "x-a": "" };
    expect(sent("request", { url, method: "PATCH", json: 1, headers })).toMatchObject({ headers });
  });
});

describe("what comes back", () => {
  test("JSON, its keys sorted and its large integers as they were written", () => {
    expect(run("get", { url }).text).toBe(
      '{"headers":{"content-type":"application/json"},"json":{"a":null,"b":[1,2.5]},"status":200}',
    );
    reply.body = utf8(
      '{"id":9007199254740993,"n":-123456789012345678901234567890,"f":12345678901234567890.5,"e":1e400}',
    );
    expect(JSON.parse(run("get", { url }).text)).toMatchObject({ text: expect.stringContaining("1e400") as string });
    reply.body = utf8('{"id":9007199254740993,"n":-123456789012345678901234567890,"f":0.1}');
    expect(run("get", { url, as: "json" }).text).toContain(
      '"json":{"f":0.1,"id":"9007199254740993","n":"-123456789012345678901234567890"}',
    );
  });

  test.each([
    ["application/json; charset=utf-8", '{"x":1}', { json: { x: 1 } }],
    ["Application/Problem+JSON", '{"x":1}', { json: { x: 1 } }],
    ["application/jsonp", '{"x":1}', { text: '{"x":1}' }],
    ["application/json", '{"x":1,"x":2}', { text: '{"x":1,"x":2}' }],
    ["application/json", "not JSON", { text: "not JSON" }],
    ["application/json", "", {}],
    ["text/plain", "", {}],
    ["text/plain", "größe\u0000", { text: "größe\u0000" }],
    ["application/json", "[".repeat(128) + "]".repeat(128), { text: "[".repeat(128) + "]".repeat(128) }],
  ])("auto: %s %j", (type, body, expected) => {
    reply = { status: 200, headers: { "content-type": type }, body: utf8(body) };
    expect(JSON.parse(run("get", { url }).text)).toEqual({
      headers: { "content-type": type },
      status: 200,
      ...expected,
    });
  });

  test("bytes that are not UTF-8, and a body without a type", () => {
    reply = { status: 200, headers: {}, body: Uint8Array.of(0x61, 0xff) };
    expect(run("get", { url }).text).toBe('{"base64":"Yf8=","headers":{},"status":200}');
    expect(run("get", { url, as: "text" }).error).toBe(
      `http_request GET ${url}: the body is not UTF-8; ask for it with as "base64"`,
    );
    expect(run("get", { url, as: "json" }).error).toBe(`http_request GET ${url}: the body is not JSON`);
    reply.body = utf8("{}");
    expect(JSON.parse(run("get", { url }).text)).toEqual({ headers: {}, status: 200, text: "{}" });
    expect(JSON.parse(run("get", { url, as: "json" }).text)).toEqual({ headers: {}, status: 200, json: {} });
    expect(JSON.parse(run("get", { url, as: "base64" }).text)).toEqual({ headers: {}, status: 200, base64: "e30=" });
    reply.body = new Uint8Array();
    expect(JSON.parse(run("get", { url, as: "text" }).text)).toEqual({ headers: {}, status: 200, text: "" });
    expect(JSON.parse(run("get", { url, as: "base64" }).text)).toEqual({ headers: {}, status: 200, base64: "" });
  });

  test("a status is a value unless another was expected", () => {
    for (const status of [100, 204, 301, 404, 503, 999]) {
      reply.status = status;
      expect(JSON.parse(run("get", { url }).text)).toMatchObject({ status });
      expect(JSON.parse(run("get", { url, expectStatus: status }).text)).toMatchObject({ status });
      expect(run("get", { url, expectStatus: 200 }).error).toBe(
        `http_request GET ${url}: expected status 200, got ${status}`,
      );
      expect(run("request", { url, method: "POST", expectStatus: [200, 201] })).toMatchObject({
        code: 1,
        error: `http_request POST ${url}: expected status 200 or 201, got ${status}`,
      });
    }
  });

  test("a megabyte of JSON, of 5,000 keys and of text fits", () => {
    const keys = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`key-${(i * 7919) % 5000}`, i]));
    for (const json of [keys, new Array(400_000).fill(1), "x".repeat(1_000_000)]) {
      reply.body = utf8(JSON.stringify(json));
      const outcome = run("get", { url });
      expect((JSON.parse(outcome.text) as { json: unknown }).json).toEqual(json);
      expect(outcome.pages).toBeLessThan(1024);
    }
  });
});

describe("the host says no", () => {
  test.each([
    ["EXO_CAPABILITY_DENIED", "http_request is not granted for this request."],
    ["EXO_TIMED_OUT", "The run's time was up."],
    ["EXO_EFFECT_UNKNOWN", "It may have been made."],
  ])("%s", (code, message) => {
    host = new MockHost({
      http_request: () => {
        throw new Refusal(code, message);
      },
    });
    expect(run("get", { url, expectStatus: 200 })).toMatchObject({
      code: 1,
      error: `http_request GET ${url}: ${code}: ${message}`,
    });
  });

  test.each([
    [{}],
    [{ status: 200, headers: {} }],
    [{ status: 200, body: utf8("") }],
    [{ status: 99, headers: {}, body: utf8("") }],
    [{ status: 1000, headers: {}, body: utf8("") }],
    [{ status: "200", headers: {}, body: utf8("") }],
    [{ status: 200, headers: { a: 1 }, body: utf8("") }],
    [{ status: 200, headers: {}, body: "text" }],
  ])("an answer of another form: %j", (answer) => {
    host = new MockHost({ http_request: () => answer });
    expect(run("get", { url })).toMatchObject({
      code: 1,
      error: `http_request GET ${url}: EXO_MSGPACK: the host's answer does not have the form of its capability`,
    });
  });
});

test("parameters are read strictly, before any host call", () => {
  const status = 'parameter "expectStatus" must be a status from 100 to 999 or a list of them';
  const method = 'parameter "method" must be "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE" or "OPTIONS"';
  for (const [parameters, error] of [
    [{}, 'parameter "url" is missing'],
    [{ url: 1 }, 'parameter "url" must be a string, not a number'],
    [{ url: null }, 'parameter "url" must be a string, not null'],
    [{ url, extra: 1 }, 'parameter "extra" is not known'],
    [{ ulr: url }, 'parameter "ulr" is not known'],
    [{ url, headers: [] }, 'parameter "headers" must be an object, not an array'],
    [{ url, headers: { a: 1 } }, 'header "a" must be a string, not a number'],
    [{ url, headers: { Accept: "x" } }, 'header "Accept" must be named in lower case, as in content-type'],
    [{ url, headers: { "a b": "x" } }, 'header "a b" must be named in lower case, as in content-type'],
    [{ url, headers: { ":path": "x" } }, 'header ":path" must be named in lower case, as in content-type'],
    [{ url, headers: { "": "x" } }, 'header "" must be named in lower case, as in content-type'],
    [{ url, headers: { größe: "x" } }, 'header "größe" must be named in lower case, as in content-type'],
    [{ url, expectStatus: 99 }, status],
    [{ url, expectStatus: 200.5 }, status],
    [{ url, expectStatus: "200" }, status],
    [{ url, expectStatus: [] }, status],
    [{ url, expectStatus: [200, null] }, status],
    [{ url, as: "xml" }, 'parameter "as" must be "auto", "json", "text" or "base64"'],
    ["[]", "parameters must be an object, not an array"],
    ['{"url":"a","url":"b"}', "parameters are not JSON: a key occurs twice at byte 16"],
  ] as const) {
    for (const name of ["get", "request"]) expect(run(name, parameters)).toMatchObject({ code: 1, error });
  }
  for (const [parameters, error] of [
    [{ url, method: "get" }, method],
    [{ url, method: "TRACE" }, method],
    [{ url, method: 1 }, 'parameter "method" must be a string, not a number'],
    [{ url, method: "POST", text: 1 }, 'parameter "text" must be a string, not a number'],
    [{ url, method: "POST", base64: "a" }, 'parameter "base64" is not standard padded base64'],
    [{ url, text: "x" }, "a GET request has no body"],
    [{ url, method: "HEAD", json: null }, "a HEAD request has no body"],
    [
      { url, method: "POST", json: 1, text: "x" },
      'at most one of the parameters "json", "text" and "base64" is allowed',
    ],
  ] as const) {
    expect(run("request", parameters)).toMatchObject({ code: 1, error });
  }
  for (const name of ["method", "json", "text", "base64"])
    expect(run("get", { url, [name]: "GET" })).toMatchObject({ code: 1, error: `parameter "${name}" is not known` });
  expect(host.calls).toEqual([]);
});
