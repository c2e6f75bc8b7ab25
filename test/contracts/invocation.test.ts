import { describe, expect, test } from "vitest";
import type { ActionIntent } from "../../src/contracts/intent.js";
import { effectKeyOf, guestInput, previewOf, requestDigestOf, targetOf } from "../../src/contracts/invocation.js";
import type { ManifestFunction } from "../../src/contracts/manifest.js";
import { readPointer } from "../../src/contracts/pointer.js";

const fn: ManifestFunction = {
  name: "remove",
  action: "fs.remove",
  input: "parameters",
  output: "json",
  effects: "write",
  target: "/path",
};
const intent: ActionIntent = {
  schema: "exoarmur.intent/v1",
  intentId: "01HZZZZZZZZZZZZZZZZZZZZZZZ",
  correlationId: "c",
  tenantId: "default",
  cellId: "local",
  actor: { id: "a", type: "agent" },
  action: "fs.remove",
  target: "data/x",
  executor: { name: "fs", function: "remove" },
  parameters: { path: "data/x", n: 1 },
  idempotencyKey: "k",
  requestedAt: "2026-01-31T09:00:00.000Z",
  salt: "A".repeat(43),
};
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

describe("readPointer", () => {
  const value = { a: { "b/c": [10, { "~": "tilde" }] }, "": 0, list: [] as never[] };
  test.each([
    ["/a/b~1c/0", 10],
    ["/a/b~1c/1/~0", "tilde"],
    ["/", 0],
    ["/a/b~1c/2", undefined],
    ["/a/b~1c/-", undefined],
    ["/a/b~1c/00", undefined],
    ["/a/b~1c/length", undefined],
    ["/a/b~1c/0/x", undefined],
    ["/constructor", undefined],
    ["/__proto__", undefined],
    ["/list/constructor", undefined],
    ["/missing/x", undefined],
  ])("%s", (pointer, expected) => {
    expect(readPointer(value, pointer)).toBe(expected);
  });
});

describe("targetOf", () => {
  test("is the string at the pointer", () => {
    expect(targetOf(fn, { path: "data/x" })).toEqual({ ok: true, value: "data/x" });
    const { target: _target, ...none } = fn;
    expect(targetOf({ ...none, effects: "none" }, {})).toEqual({ ok: true, value: undefined });
    expect(targetOf(fn, { path: "x".repeat(4096) }).ok).toBe(true);
  });

  test.each([
    [{}],
    [{ path: "" }],
    [{ path: 1 }],
    [{ path: null }],
    [{ path: ["x"] }],
    [{ path: "x".repeat(4097) }],
    [[]],
    [null],
  ])("%# is EXO_PARAMETERS", (parameters) => {
    expect(targetOf(fn, parameters as never)).toMatchObject({ ok: false, error: { code: "EXO_PARAMETERS" } });
  });
});

describe("guestInput", () => {
  const inputOf = (input: ManifestFunction["input"], parameters: ActionIntent["parameters"]) =>
    guestInput({ ...fn, input }, { ...intent, parameters });

  test("every form", () => {
    const bytes = (input: ManifestFunction["input"], parameters: ActionIntent["parameters"]): string => {
      const result = inputOf(input, parameters);
      return result.ok ? text(result.value) : result.error.code;
    };
    expect(bytes("parameters", { b: 1, a: 2 })).toBe('{"a":2,"b":1}');
    expect(bytes("text", { input: "grüß" })).toBe("grüß");
    expect(bytes("text", { input: "" })).toBe("");
    expect(bytes("bytes", { input: "aGk=" })).toBe("hi");
    expect(bytes("intent", {})).toContain('"intentId":"01HZZZZZZZZZZZZZZZZZZZZZZZ"');
    // The salt keeps a withheld intent from being guessed; no guest has any use for it.
    expect(bytes("intent", {})).not.toContain("salt");
  });

  test.each([
    ["text", {}],
    ["text", { input: 1 }],
    ["text", { input: null }],
    ["bytes", {}],
    ["bytes", { input: "aGk" }],
    ["bytes", { input: "aGk-" }],
    ["bytes", { input: "aGl=" }],
    ["bytes", { input: 7 }],
  ] as const)("%s of %j is EXO_PARAMETERS", (input, parameters) => {
    expect(inputOf(input, parameters)).toMatchObject({ ok: false, error: { code: "EXO_PARAMETERS" } });
  });
});

describe("requestDigestOf", () => {
  test.each([
    ["intentId", { intentId: "01HZZZZZZZZZZZZZZZZZZZZZZY" }],
    ["correlationId", { correlationId: "d" }],
    ["requestedAt", { requestedAt: "2026-01-31T09:00:00.001Z" }],
    ["expiresAt", { expiresAt: "2026-02-01T09:00:00.000Z" }],
    ["context", { context: { attempt: 2 } }],
    ["salt", { salt: "B".repeat(43) }],
  ])("a retry with another %s is the same request", (_name, more) => {
    expect(requestDigestOf({ ...intent, ...more })).toBe(requestDigestOf(intent));
  });

  test.each([
    ["tenantId", { tenantId: "other" }],
    ["cellId", { cellId: "other" }],
    ["actor", { actor: { id: "b", type: "agent" } }],
    ["actor type", { actor: { id: "a", type: "person" } }],
    ["action", { action: "fs.read" }],
    ["target", { target: "data/y" }],
    ["executor", { executor: { name: "fs", function: "purge" } }],
    ["parameters", { parameters: { path: "data/x", n: 2 } }],
    ["idempotencyKey", { idempotencyKey: "l" }],
  ])("another %s is another request", (_name, more) => {
    expect(requestDigestOf({ ...intent, ...more })).not.toBe(requestDigestOf(intent));
  });
});

describe("effectKeyOf", () => {
  const keyed = (...effectKey: string[]): ManifestFunction => ({ ...fn, effectKey });
  const keyOf = (of: ManifestFunction, more: Partial<ActionIntent> = {}) => {
    const key = effectKeyOf(of, { ...intent, ...more });
    return key.ok ? key.value : key.error.code;
  };

  test("none is declared: null", () => {
    expect(keyOf(fn)).toBeNull();
  });

  test("is the literal digest of JCS([tenant, action, [pointer, value]...])", () => {
    // printf '%s' '["default","fs.remove",["/path","data/x"]]' | sha256sum
    expect(keyOf(keyed("/path"))).toBe("sha256:2accf1e0337705238e2907de39a448543eed856521e90c7311a25f5e5be83e24");
  });

  test("differs by tenant, action, value, pointer and order, and not by anything else", () => {
    const base = keyOf(keyed("/path"));
    const others = [
      keyOf(keyed("/path"), { tenantId: "other" }),
      keyOf(keyed("/path"), { action: "fs.read" }),
      keyOf(keyed("/path"), { parameters: { path: "data/y" } }),
      keyOf(keyed("/path", "/n")),
      keyOf(keyed("/n", "/path")),
      keyOf(keyed("/path"), { parameters: { path: ["data/x"] } }),
    ];
    expect(new Set([base, ...others]).size).toBe(7);
    expect(
      keyOf(keyed("/path"), {
        parameters: { path: "data/x", n: 99 },
        idempotencyKey: "z",
        actor: { id: "b", type: "x" },
      }),
    ).toBe(base);
  });

  test("a missing value is EXO_PARAMETERS, null is a value", () => {
    expect(keyOf(keyed("/nothing"))).toBe("EXO_PARAMETERS");
    expect(keyOf(keyed("/path"), { parameters: { path: null } })).toMatch(/^sha256:/);
  });
});

test("the preview holds what would run, and no salt", () => {
  const grants = { schema: "exoarmur.grants/v1" as const, capabilities: [], limits: {} as never };
  const preview = previewOf(intent, { name: "fs", version: "1.0.0" } as never, fn, grants, []);
  expect(preview).toEqual({
    schema: "exoarmur.preview/v1",
    intentId: intent.intentId,
    actor: intent.actor,
    action: "fs.remove",
    executor: { name: "fs", version: "1.0.0", function: "remove" },
    target: "data/x",
    effects: "write",
    parameters: { path: "data/x", n: 1 },
    grants,
  });
});
