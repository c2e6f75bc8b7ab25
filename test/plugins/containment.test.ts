import canonicalize from "canonicalize";
import { beforeEach, describe, expect, test } from "vitest";
import { loadModule, MockHost, type Outcome, Refusal } from "./mock-host.js";

const module = loadModule("plugins/containment.wasm");
const utf8 = (value: unknown): Uint8Array =>
  new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
const call = { api: "http://127.0.0.1:9000/v1", endpoint: "endpoint-demo-001", order: "evt-1" };
const isolateUrl = "http://127.0.0.1:9000/v1/endpoints/endpoint-demo-001/isolate";
let reply: { status: number; body: Uint8Array };
let host: MockHost;

beforeEach(() => {
  reply = { status: 200, body: utf8({ endpoint: "endpoint-demo-001", isolated: true }) };
  host = new MockHost({ http_request: () => ({ headers: {}, ...reply }) });
});

/** Runs a function of the plugin; a good answer must be canonical JSON. */
function run(name: string, parameters: unknown): Outcome {
  const outcome = host.run(module, name, JSON.stringify(parameters));
  const canonical = outcome.code === 0 ? canonicalize(JSON.parse(outcome.text)) : outcome.text;
  expect(outcome.text).toBe(canonical);
  return outcome;
}

describe("one order, one POST", () => {
  test("isolate", () => {
    expect(run("isolate", { ...call, reason: "malware.exe, höchste Stufe" }).text).toBe(
      '{"endpoint":"endpoint-demo-001","isolated":true,"order":"evt-1","status":200}',
    );
    expect(host.calls).toEqual([
      {
        name: "http_request",
        request: {
          method: "POST",
          url: isolateUrl,
          headers: { accept: "application/json", "content-type": "application/json" },
          body: utf8('{"endpoint":"endpoint-demo-001","order":"evt-1","reason":"malware.exe, höchste Stufe"}'),
        },
      },
    ]);
  });

  test("release, with a token that stays a placeholder", () => {
    reply.body = utf8({ isolated: false, endpoint: "endpoint-demo-001", more: [1] });
    expect(run("release", { ...call, api: "https://edr.example.com", secret: "EDR_TOKEN" }).text).toBe(
      '{"endpoint":"endpoint-demo-001","isolated":false,"order":"evt-1","status":200}',
    );
    expect(host.calls[0]?.request).toMatchObject({
      url: "https://edr.example.com/endpoints/endpoint-demo-001/release",
      headers: { authorization: "Bearer {{secret:EDR_TOKEN}}" },
      body: utf8('{"endpoint":"endpoint-demo-001","order":"evt-1"}'),
    });
  });
});

describe("what does not confirm the state is an error", () => {
  test.each([
    [{ endpoint: "endpoint-demo-001", isolated: false }],
    [{ endpoint: "endpoint-demo-002", isolated: true }],
    [{ endpoint: "endpoint-demo-0010", isolated: true }],
    [{ endpoint: "endpoint-demo-001", isolated: "true" }],
    [{ endpoint: "endpoint-demo-001", isolated: 1 }],
    [{ endpoint: ["endpoint-demo-001"], isolated: true }],
    [{ endpoint: "endpoint-demo-001" }],
    [{ isolated: true }],
    [[]],
    ["not JSON"],
    [""],
    ['{"endpoint":"endpoint-demo-001","isolated":true,"isolated":true}'],
  ])("%j", (body) => {
    reply.body = utf8(body);
    expect(run("isolate", call)).toMatchObject({
      code: 1,
      error: `POST ${isolateUrl}: the answer does not say {"endpoint":"endpoint-demo-001","isolated":true}`,
    });
  });

  test("an answer for the other function", () => {
    expect(run("release", call).error).toContain(
      'the answer does not say {"endpoint":"endpoint-demo-001","isolated":false}',
    );
  });

  test.each([201, 202, 204, 302, 401, 409, 500, 503])("status %i", (status) => {
    reply.status = status;
    expect(run("isolate", call)).toMatchObject({
      code: 1,
      error: `POST ${isolateUrl}: expected status 200, got ${status}`,
    });
  });

  test.each([
    ["EXO_CAPABILITY_DENIED", "http_request is not granted for this request."],
    ["EXO_EFFECT_UNKNOWN", "It may have been made."],
  ])("%s", (code, message) => {
    host = new MockHost({
      http_request: () => {
        throw new Refusal(code, message);
      },
    });
    expect(run("isolate", call)).toMatchObject({
      code: 1,
      error: `http_request POST ${isolateUrl}: ${code}: ${message}`,
    });
  });
});

test("parameters are read strictly, before any host call", () => {
  const api = 'parameter "api" must be the URL of the API without a slash at the end, as in https://edr.example.com/v1';
  const name = (of: string): string =>
    `parameter "${of}" must be 1 to 128 letters, digits, ".", "_" and "-", the first a letter or digit`;
  const bad = (member: object): object => ({ ...call, ...member });
  for (const [parameters, error] of [
    [{ endpoint: "a", order: "b" }, 'parameter "api" is missing'],
    [{ api: call.api, order: "b" }, 'parameter "endpoint" is missing'],
    [{ api: call.api, endpoint: "b" }, 'parameter "order" is missing'],
    [bad({ endpoint: 1 }), 'parameter "endpoint" must be a string, not a number'],
    [bad({ order: null }), 'parameter "order" must be a string, not null'],
    [bad({ reason: ["x"] }), 'parameter "reason" must be a string, not an array'],
    [bad({ secret: true }), 'parameter "secret" must be a string, not a boolean'],
    [bad({ force: true }), 'parameter "force" is not known'],
    [bad({ reason: "x".repeat(1025) }), 'parameter "reason" must be at most 1024 bytes'],
    ...["", ".", "..", "a/b", "a%2fb", "a b", "-a", "_a", "ä", "a\n", "a?b", "a#b", "a\\b", "x".repeat(129)].flatMap(
      (text) => [
        [bad({ endpoint: text }), name("endpoint")] as const,
        [bad({ order: text }), name("order")] as const,
        [bad({ secret: text }), name("secret")] as const,
      ],
    ),
    ...[
      "",
      "http://",
      "https://",
      "ftp://a",
      "HTTP://a",
      "a.example",
      "http://a/",
      "http://a/v1/",
      "http://a?x",
      "http://a#x",
      "http://user@a",
      "http://a/%2e",
      "http://a b",
      "http://ä",
      "http://[::1]",
      "http://a\n",
      `http://${"a".repeat(2048)}`,
    ].map((text) => [bad({ api: text }), api] as const),
  ] as const) {
    for (const fn of ["isolate", "release"])
      expect({ parameters, ...run(fn, parameters) }).toMatchObject({ parameters, code: 1, error });
  }
  expect(host.calls).toEqual([]);
  for (const text of ["a", "Z9", "host-1.example_x", "x".repeat(128)]) {
    reply.body = utf8({ endpoint: text, isolated: true });
    expect(run("isolate", bad({ endpoint: text, order: text, secret: text })).code).toBe(0);
  }
});
