import canonicalize from "canonicalize";
import { beforeEach, describe, expect, test } from "vitest";
import { loadModule, MockHost, type Outcome, Refusal } from "./mock-host.js";

const module = loadModule("plugins/kv.wasm");
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
let host: MockHost;

/** Runs a function of the plugin; a good answer must be canonical JSON. */
function run(name: string, parameters: unknown): Outcome {
  const outcome = host.run(module, name, typeof parameters === "string" ? parameters : JSON.stringify(parameters));
  const canonical = outcome.code === 0 ? canonicalize(JSON.parse(outcome.text)) : outcome.text;
  expect(outcome.text).toBe(canonical);
  return outcome;
}

beforeEach(() => {
  host = new MockHost();
});

describe("put and get", () => {
  test("JSON is kept in its canonical form", () => {
    for (const json of [{ z: 1, a: ["é\u0000", null] }, [], null, false, 0, "", 1e21]) {
      expect(JSON.parse(run("put", { key: "k/ä", json }).text)).toMatchObject({ done: true, key: "k/ä" });
      expect(Buffer.from(host.pairs.get("k/ä")?.value ?? []).toString()).toBe(canonicalize(json));
      expect(JSON.parse(run("get", { key: "k/ä" }).text)).toMatchObject({ found: true, json, key: "k/ä" });
    }
    expect(run("get", { key: "k/ä", encoding: "base64" }).text).toBe(
      '{"base64":"MWUrMjE=","found":true,"key":"k/ä","version":7}',
    );
  });

  test("bytes", () => {
    expect(run("put", { key: "b", base64: "/wA=" }).text).toBe('{"done":true,"key":"b","version":1}');
    expect(host.pairs.get("b")?.value).toEqual(Uint8Array.of(255, 0));
    expect(run("get", { key: "b", encoding: "base64" }).text).toBe(
      '{"base64":"/wA=","found":true,"key":"b","version":1}',
    );
    expect(run("get", { key: "b" })).toMatchObject({
      code: 1,
      error: 'kv_get b: the value is not JSON; read it with encoding "base64"',
    });
    expect(run("put", { key: "b", base64: "" }).code).toBe(0);
    expect(run("get", { key: "b" }).error).toContain("not JSON");
    expect(run("get", { key: "b", encoding: "base64" }).text).toContain('"base64":""');
  });

  test("what is not there is an answer", () => {
    expect(run("get", { key: "none" }).text).toBe('{"found":false,"key":"none","version":0}');
    expect(run("get", { key: "none", encoding: "base64" }).text).toBe('{"found":false,"key":"none","version":0}');
  });

  test("compare-and-set: the loser is told the version that is there", () => {
    expect(run("put", { key: "k", json: 1, expect: 0 }).text).toBe('{"done":true,"key":"k","version":1}');
    expect(run("put", { key: "k", json: 2, expect: 0 }).text).toBe('{"done":false,"key":"k","version":1}');
    expect(run("put", { key: "k", json: 2, expect: 1 }).text).toBe('{"done":true,"key":"k","version":2}');
    expect(run("delete", { key: "k", expect: 1 }).text).toBe('{"done":false,"key":"k","version":2}');
    expect(run("delete", { key: "k", expect: 2 }).text).toBe('{"done":true,"key":"k","version":2}');
    expect(run("delete", { key: "k" }).text).toBe('{"done":true,"key":"k","version":0}');
    expect(host.calls.map(({ request }) => request["expect"])).toEqual([0, 0, 1, 1, 2, undefined]);
    expect(run("put", { key: "k", json: 1, expect: Number.MAX_SAFE_INTEGER }).text).toContain('"done":false');
  });
});

test("list", () => {
  for (const key of ["b/1", "a/2", "a/ü", "a/1"]) run("put", { key, json: key });
  host.calls.length = 0;
  expect(run("list", { prefix: "a/" }).text).toBe(
    '{"entries":[{"key":"a/1","size":5,"version":1},{"key":"a/2","size":5,"version":1},{"key":"a/ü","size":6,"version":1}],"more":false}',
  );
  expect(run("list", { prefix: "a/", limit: 1, after: "a/1" }).text).toBe(
    '{"entries":[{"key":"a/2","size":5,"version":1}],"more":true}',
  );
  expect(run("list", { prefix: "zz" }).text).toBe('{"entries":[],"more":false}');
  expect(host.calls.map(({ request }) => request)).toEqual([
    { prefix: "a/", limit: 100 },
    { prefix: "a/", limit: 1, after: "a/1" },
    { prefix: "zz", limit: 100 },
  ]);
});

describe("the host says no", () => {
  test("a denial is an error of the call", () => {
    const deny = (): never => {
      throw new Refusal("EXO_CAPABILITY_DENIED", "not granted.");
    };
    host = new MockHost({ kv_get: deny, kv_put: deny, kv_delete: deny, kv_list: deny });
    for (const [name, parameters] of [
      ["get", { key: "ä" }],
      ["put", { key: "ä", json: 1 }],
      ["delete", { key: "ä" }],
      ["list", { prefix: "ä" }],
    ] as const)
      expect(run(name, parameters)).toMatchObject({
        code: 1,
        error: `kv_${name} ä: EXO_CAPABILITY_DENIED: not granted.`,
      });
  });

  test("answers of another form are refused", () => {
    const empty = new Uint8Array();
    const malformed = "EXO_MSGPACK: the host's answer does not have the form of its capability";
    const entries = [{}, { key: "a", version: 1 }, { key: 1, version: 1, size: 1 }, { key: "a", version: -1, size: 1 }];
    for (const [name, parameters, answers] of [
      [
        "get",
        { key: "k" },
        [
          {},
          { found: 1, value: empty, version: 1 },
          { found: true, value: "1", version: 1 },
          { found: true, value: empty, version: 1.5 },
        ],
      ],
      ["put", { key: "k", json: 1 }, [{ done: true }, { version: 1 }, { done: 1, version: 1 }]],
      ["delete", { key: "k" }, [{ done: true }, { version: 1 }, { done: true, version: "1" }]],
      [
        "list",
        { prefix: "k" },
        [
          { entries: [] },
          { more: false },
          { entries: {}, more: false },
          ...entries.map((e) => ({ entries: [e], more: true })),
        ],
      ],
    ] as const) {
      for (const answer of answers) {
        host = new MockHost({ [`kv_${name}`]: () => answer });
        expect({ answer, ...run(name, parameters) }).toMatchObject({
          answer,
          code: 1,
          error: `kv_${name} k: ${malformed}`,
        });
      }
    }
  });

  test("a value nested too deep for the output is read as base64", () => {
    const deep = (depth: number): Uint8Array => utf8("[".repeat(depth) + "]".repeat(depth));
    host.pairs.set("k", { value: deep(127), version: 1 });
    expect(run("get", { key: "k" }).code).toBe(0);
    host.pairs.set("k", { value: deep(128), version: 1 });
    expect(run("get", { key: "k" }).error).toContain("not JSON");
  });
});

test("parameters are read strictly, before any host call", () => {
  const count = 'parameter "expect" must be a whole number from 0 to 2^53-1';
  const limit = 'parameter "limit" must be a whole number from 0 to 2^53-1';
  const one = 'exactly one of the parameters "json" and "base64" is needed';
  for (const [name, parameters, error] of [
    ["get", {}, 'parameter "key" is missing'],
    ["get", { key: 1 }, 'parameter "key" must be a string, not a number'],
    ["get", { key: "k", encoding: "text" }, 'parameter "encoding" must be "json" or "base64"'],
    ["get", { key: "k", expect: 1 }, 'parameter "expect" is not known'],
    ["put", { json: 1 }, 'parameter "key" is missing'],
    ["put", { key: "k" }, one],
    ["put", { key: "k", json: null, base64: "" }, one],
    ["put", { key: "k", base64: "a" }, 'parameter "base64" is not standard padded base64'],
    ["put", { key: "k", base64: 1 }, 'parameter "base64" must be a string, not a number'],
    ["put", { key: "k", json: 1, expect: -1 }, count],
    ["put", { key: "k", json: 1, expect: 1.5 }, count],
    ["put", { key: "k", json: 1, expect: "1" }, count],
    ["put", { key: "k", json: 1, expect: null }, count],
    ["delete", { key: "k", expect: 2 ** 53 }, count],
    ["delete", { key: "k", json: 1 }, 'parameter "json" is not known'],
    ["list", {}, 'parameter "prefix" is missing'],
    ["list", { prefix: "k", after: 1 }, 'parameter "after" must be a string, not a number'],
    ["list", { prefix: "k", limit: 0 }, 'parameter "limit" must be from 1 to 1000'],
    ["list", { prefix: "k", limit: 1001 }, 'parameter "limit" must be from 1 to 1000'],
    ["list", { prefix: "k", limit: "1" }, limit],
    ["list", [], "parameters must be an object, not an array"],
    ["put", '{"key":"a","key":"b"}', "parameters are not JSON: a key occurs twice at byte 16"],
  ] as const) {
    expect({ name, parameters, ...run(name, parameters) }).toMatchObject({ name, parameters, code: 1, error });
  }
  expect(host.calls).toEqual([]);
});
