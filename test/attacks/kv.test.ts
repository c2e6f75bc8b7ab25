import { describe, expect, test } from "vitest";
import type { Constraints } from "../../src/contracts/manifest.js";
import { encodeUtf8 } from "../../src/crypto/encoding.js";
import { auditStore } from "../../src/replay/audit-log.js";
import { kvGrants, kvKeys, kvState } from "../support/kv.js";
import { answerIn, kvGuest, kvParameters, putStep, type Step } from "../support/kv-guest.js";
import { realPool } from "../support/real.js";
import { checkStore, endOf, openRig, type Rig } from "../support/rig.js";
import { origin } from "../support/world.js";

const pool = realPool();

const open = async (constraints: Constraints = {}): Promise<Rig> =>
  await openRig({
    sandbox: pool,
    plugins: [kvGuest("kv"), kvGuest("kv2")],
    grants: kvGrants(["kv", "kv2"], constraints),
    rules: [{ id: "all", match: {}, verdict: "allow" }],
  });

const run = (rig: Rig, steps: readonly Step[], executor = "kv", more = {}) =>
  rig.pipeline.execute({
    actor: "attacker",
    action: `attack.${executor}`,
    parameters: kvParameters(steps),
    ...more,
  } as never);

/** The last answer of a run that completed. */
async function last(rig: Rig, steps: readonly Step[], executor?: string, more?: object): Promise<unknown> {
  const result = await run(rig, steps, executor, more);
  if (result.status !== "executed") throw new Error(endOf(result));
  return answerIn(result.output);
}

/** The log's own view of keys and values, and everything else. */
function audited(rig: Rig): string[] {
  const vkey = rig.trust.logs[0]?.vkey ?? "";
  const { checks } = auditStore(rig.store, { origin, vkey, trust: rig.trust });
  return checks.filter(({ state }) => state !== "pass").map(({ id, message }) => `${id}: ${message}`);
}

/** Raw msgpack: a map of one text key to these bytes as they are. */
const raw = (...parts: (string | readonly number[])[]): Uint8Array =>
  Uint8Array.from(
    parts.flatMap((part) => (typeof part === "string" ? [0xa0 + part.length, ...encodeUtf8(part)] : part)),
  );

describe("somebody else's keys", () => {
  test("another tenant's and another executor's are not there, cannot be listed, and stay as they are", async () => {
    const rig = await open();
    await run(rig, [putStep("secret", "mine")]);
    for (const [executor, more] of [
      ["kv2", {}],
      ["kv", { tenantId: "other" }],
      ["kv2", { tenantId: "other" }],
    ] as const) {
      expect(await last(rig, [["get", { key: "secret" }]], executor, more)).toMatchObject({ found: false });
      expect(await last(rig, [["list", { prefix: "" }]], executor, more)).toEqual({ entries: [], more: false });
      expect(await last(rig, [["delete", { key: "secret" }]], executor, more)).toEqual({ done: true, version: 0 });
      expect(await last(rig, [putStep("secret", "theirs")], executor, more)).toEqual({ done: true, version: 1 });
    }
    expect(kvState(rig.store)).toEqual([["secret", "mine", 1]]);
    expect(audited(rig)).toEqual([]);
  });
});

describe("keys that look like something else", () => {
  const smuggled = [
    "../../i/x",
    "/",
    "v/",
    "w/x",
    "s/kill-switch",
    "m/checkpoint",
    "l/0000000000000000",
    "\0",
    "a\0b",
    "a\nb",
    ".",
    "..",
    "__proto__",
    "constructor",
    "toString",
    "\uffff",
    "\ufeff",
    "e\u0301",
    "é",
    "\u202e",
    "%2e%2e",
    "x".repeat(512),
    "\u{1f600}".repeat(512),
  ];

  test("are keys and nothing more: each is found by itself alone, and no other family of the store is touched", async () => {
    const rig = await open();
    const families = (): string[] => [
      ...new Set([...rig.store.range({ gte: " ", lt: "~" })].map(([key]) => key[0] ?? "")),
    ];
    const before = families();
    const end = await run(
      rig,
      smuggled.map((key, at) => putStep(key, `value ${at}`)),
    );
    expect(endOf(end)).toBe("executed");
    for (const [at, key] of smuggled.entries()) {
      expect(await last(rig, [["get", { key }]]), JSON.stringify(key)).toMatchObject({
        found: true,
        value: `value ${at}`,
      });
    }
    expect(
      families()
        .filter((family) => !before.includes(family))
        .sort(),
    ).toEqual(["b", "c", "e", "i", "k", "p", "t", "u", "v", "w", "x"].filter((f) => !before.includes(f)));
    expect(kvKeys(rig.store).every((key) => /^[vwx]\/[0-9a-f]{64}(?:\/|$)/.test(key))).toBe(true);
    expect(kvState(rig.store).map(([key]) => key)).toHaveLength(smuggled.length);
    expect(checkStore(rig).length).toBe(smuggled.length + 1);
    expect(audited(rig)).toEqual([]);
  });

  const bad = "EXO_CAPABILITY_REQUEST";
  test.each<[string, Step]>([
    ["a lone surrogate", ["get", raw([0x81], "key", [0xa3, 0xed, 0xa0, 0x80])]],
    ["a surrogate pair in six bytes", ["get", raw([0x81], "key", [0xa6, 0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80])]],
    ["an overlong slash", ["get", raw([0x81], "key", [0xa2, 0xc0, 0xaf])]],
    ["bytes in the place of text", ["get", raw([0x81], "key", [0xc4, 0x01, 0x61])]],
    ["the key twice", ["get", raw([0x82], "key", "a", "key", "b")]],
    ["a member __proto__", ["get", raw([0x82], "key", "a", "__proto__", [0x80])]],
    ["no key", ["get", {}]],
    ["an empty key", ["get", { key: "" }]],
    ["a key of 513 characters", ["get", { key: "x".repeat(513) }]],
    ["a key of 513 characters outside the basic plane", ["get", { key: "\u{1f600}".repeat(513) }]],
    ["an index", ["get", { key: 1 }]],
    ["another tenant's name as a member", ["get", { key: "a", tenantId: "other" }]],
    ["an expectation below zero", ["put", { key: "a", value: new Uint8Array(0), expect: -1 }]],
    ["an expectation that is no integer", ["put", { key: "a", value: new Uint8Array(0), expect: 0.5 }]],
    ["an expectation beyond 2^53", ["delete", { key: "a", expect: 1e21 }]],
    ["an expectation that is null", ["put", { key: "a", value: new Uint8Array(0), expect: null }]],
    ["text in the place of a value", ["put", { key: "a", value: "text" }]],
    ["a page of none", ["list", { prefix: "", limit: 0 }]],
    ["a page of a million", ["list", { prefix: "", limit: 1_000_000 }]],
    ["an empty after", ["list", { prefix: "", after: "" }]],
  ])("%s is refused before anything is looked at", async (_name, step) => {
    const rig = await open();
    expect(await last(rig, [putStep("a", "1"), step])).toBe(bad);
    expect(kvState(rig.store)).toEqual([["a", "1", 1]]);
  });
});

describe("keys outside the prefixes", () => {
  const outside = [
    "orders",
    "order",
    "Orders/1",
    "orders\0/1",
    "orders\u2215x",
    " orders/1",
    "\u{6f}rder/",
    "users/1",
    "\0orders/",
  ];

  test("are denied to every capability, however they resemble them; the guest's text is not repeated", async () => {
    const rig = await open({ prefixes: ["orders/", "日本"] });
    for (const key of outside) {
      for (const step of [
        ["get", { key }],
        putStep(key, "x"),
        ["delete", { key }],
        ["list", { prefix: key }],
      ] as const) {
        expect(await last(rig, [step as Step]), JSON.stringify(key)).toBe("EXO_CAPABILITY_DENIED");
      }
    }
    expect(await last(rig, [["list", { prefix: "" }]])).toBe("EXO_CAPABILITY_DENIED");
    expect(await last(rig, [["list", { prefix: "日" }]])).toBe("EXO_CAPABILITY_DENIED");
    expect(await last(rig, [putStep("日本語", "x")])).toMatchObject({ done: true });
    expect(kvState(rig.store).map(([key]) => key)).toEqual(["日本語"]);
  });

  test("do not come by way of a listing that begins before them", async () => {
    const rig = await open();
    await run(
      rig,
      ["a", "orders/1", "orders/2", "z"].map((key) => putStep(key, "x")),
    );
    for (const after of ["a", "\0", "orders/", "orders"]) {
      const page = (await last(rig, [["list", { prefix: "orders/", after }]])) as { entries: { key: string }[] };
      expect(page.entries.map(({ key }) => key)).toEqual(["orders/1", "orders/2"]);
    }
    expect(await last(rig, [["list", { prefix: "orders/", after: "orders/2" }]])).toEqual({ entries: [], more: false });
  });

  test("none is granted where the deployment names none", async () => {
    const rig = await openRig({
      sandbox: pool,
      plugins: [kvGuest("kv")],
      grants: { kv: { kv_get: {}, kv_put: { prefixes: [] }, kv_list: { maxBytes: 10 } } },
      rules: [{ id: "all", match: {}, verdict: "allow" }],
    });
    for (const step of [
      ["get", { key: "a" }],
      putStep("a", "1"),
      ["delete", { key: "a" }],
      ["list", { prefix: "" }],
    ] as const) {
      expect(await last(rig, [step as Step])).toBe("EXO_CAPABILITY_DENIED");
    }
    expect(kvKeys(rig.store)).toEqual([]);
  });
});

describe("more than there may be", () => {
  test("keys: the cap holds within a run, over runs, and after deleting what is not there", async () => {
    const rig = await open({ maxEntries: 3 });
    const keys = ["a", "b", "c", "d"];
    expect(
      await last(
        rig,
        keys.map((key) => putStep(key, "1")),
      ),
    ).toBe("EXO_KV_FULL");
    for (let turn = 0; turn < 3; turn++) {
      expect(await last(rig, [["delete", { key: "none" }], ["delete", { key: "none" }], putStep("d", "1")])).toBe(
        "EXO_KV_FULL",
      );
    }
    expect(await last(rig, [["delete", { key: "a" }], putStep("d", "1"), putStep("e", "1")])).toBe("EXO_KV_FULL");
    expect(kvState(rig.store).map(([key]) => key)).toEqual(["b", "c", "d"]);
    expect(audited(rig)).toEqual([]);
  });

  test("bytes: keys count, and overwriting back and forth gains nothing", async () => {
    const rig = await open({ maxTotalBytes: 20 });
    expect(await last(rig, [putStep("k".repeat(20), ""), putStep("a", "")])).toBe("EXO_KV_FULL");
    expect(await last(rig, [["delete", { key: "k".repeat(20) }], putStep("a", "x".repeat(19))])).toMatchObject({
      done: true,
    });
    for (let turn = 0; turn < 3; turn++) {
      expect(await last(rig, [putStep("a", ""), putStep("a", "x".repeat(19)), putStep("b", "")])).toBe("EXO_KV_FULL");
    }
    expect(await last(rig, [putStep("a", "x".repeat(20))])).toBe("EXO_KV_FULL");
    expect(audited(rig)).toEqual([]);
  });

  test("bytes of one value, put or read under a smaller grant", async () => {
    const rig = await open();
    await run(rig, [putStep("a", "12345")]);
    const small = await openRig({
      store: rig.store,
      seed: "second",
      sandbox: pool,
      plugins: [kvGuest("kv")],
      grants: kvGrants(["kv"], { maxBytes: 4 }),
      rules: [{ id: "all", match: {}, verdict: "allow" }],
    });
    expect(await last(small, [["get", { key: "a" }]])).toBe("EXO_KV_SIZE");
    expect(await last(small, [putStep("b", "12345")])).toBe("EXO_CAPABILITY_DENIED");
    expect(await last(small, [putStep("long key", "1"), ["list", { prefix: "long" }]])).toBe("EXO_KV_SIZE");
  });

  test("listings without an end: the run ends at its calls, and what it read was bounded", async () => {
    const rig = await openRig({
      sandbox: pool,
      plugins: [kvGuest("kv", { hostCalls: 60 })],
      grants: kvGrants(["kv"]),
      rules: [{ id: "all", match: {}, verdict: "allow" }],
    });
    await run(
      rig,
      Array.from({ length: 50 }, (_, at) => putStep(`${"k".repeat(500)}${at}`, "")),
    );
    const bomb = Array.from({ length: 2000 }, (): Step => ["list", { prefix: "", limit: 1000 }]);
    const end = await run(rig, bomb);
    expect(endOf(end)).toBe("failed EXO_HOST_CALL_LIMIT");
    expect(end.status === "failed" && end.execution.transcript.size).toBe(60);
    expect(endOf(await run(rig, [["get", { key: "a" }]]))).toBe("executed");
    checkStore(rig);
  });
});

describe("a version that comes again", () => {
  test("does not: not after deleting, not after a trap, not after fuel ran out", async () => {
    const rig = await open();
    expect(await last(rig, [putStep("a", "1")])).toEqual({ done: true, version: 1 });
    expect(await last(rig, [["delete", { key: "a" }], putStep("a", "1")])).toEqual({ done: true, version: 2 });
    expect(await last(rig, [putStep("a", "forged", 1)])).toEqual({ done: false, version: 2 });
    expect(endOf(await run(rig, [putStep("a", "3"), ["trap"]]))).toBe("failed EXO_TRAPPED");
    expect(endOf(await run(rig, [putStep("a", "4"), ["spin"]]))).toBe("failed EXO_OUT_OF_FUEL");
    expect(endOf(await run(rig, [putStep("a", "5"), ["fail"]]))).toBe("failed EXO_GUEST_ERROR");
    expect(await last(rig, [putStep("a", "6", 2)])).toEqual({ done: true, version: 6 });
    for (const expected of [1, 2, 3, 4, 5]) {
      expect(await last(rig, [putStep("a", "forged", expected)])).toEqual({ done: false, version: 6 });
    }
    expect(kvState(rig.store)).toEqual([["a", "6", 6]]);
    expect(audited(rig)).toEqual([]);
  });
});
