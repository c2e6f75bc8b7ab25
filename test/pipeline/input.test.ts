import { describe, expect, test } from "vitest";
import { deepFreeze } from "../../src/canonical/freeze.js";
import { canonicalize } from "../../src/canonical/jcs.js";
import { maxIntentBytes } from "../../src/pipeline/resolve-intent.js";
import { createMemoryStore } from "../../src/stores/memory.js";
import {
  checkStore,
  draft,
  endOf,
  fsPlugin,
  openRig,
  type Rig,
  requestOf,
  usualRules,
  verified,
} from "../support/rig.js";
import { grant } from "../support/sign.js";
import { keys } from "../support/world.js";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const inputOf = (rig: Rig, index = 0): unknown => JSON.parse(new TextDecoder().decode(rig.sandbox.jobs[index]?.input));

async function refusedWith(rig: Rig, what: unknown, code: string): Promise<void> {
  const { size } = rig.ledger;
  await expect(rig.pipeline.execute(what as never)).rejects.toMatchObject({ code });
  expect(rig.ledger.size).toBe(size);
  expect(rig.sandbox.starts).toBe(0);
}

describe("the executed value is the hashed value", () => {
  test("what the caller does to its object after the call changes nothing", async () => {
    const rig = await openRig();
    const parameters = { path: "data/a.csv", text: "good" };
    const running = rig.pipeline.execute({
      actor: { id: "report-agent", type: "agent" },
      action: "fs.write",
      parameters,
    });
    parameters.path = "data/b.csv";
    parameters.text = "evil";
    expect(endOf(await running)).toBe("executed");
    expect(inputOf(rig)).toEqual({ path: "data/a.csv", text: "good" });
    expect(rig.disk.files.get("data/a.csv")).toBe("good");
    checkStore(rig);
  });

  test("nor does it while an approval waits, nor over a restart", async () => {
    const store = createMemoryStore();
    const rig = await openRig({ store });
    const parameters = { path: "data/orders.csv" };
    const request = requestOf(await rig.pipeline.execute({ actor: "report-agent", action: "fs.remove", parameters }));
    parameters.path = "data/people.csv";
    const next = await openRig({ store, seed: "second" });
    await next.pipeline.decide(await grant(request, "alice", keys.alice));
    expect(next.disk.done).toEqual(["fs_remove data/orders.csv"]);
  });

  test("a Uint8Array that changes afterwards changes nothing", async () => {
    const rig = await openRig();
    const raw = bytes('{"actor":"a","action":"fs.read","parameters":{"path":"data/orders.csv"}}');
    const running = rig.pipeline.execute(raw);
    raw.fill(0x20);
    expect(endOf(await running)).toBe("executed");
    expect(inputOf(rig)).toEqual({ path: "data/orders.csv" });
  });

  test("a Proxy that answers differently is read once, and runs as it was judged", async () => {
    const rig = await openRig();
    let reads = 0;
    const parameters = new Proxy(
      { path: "data/orders.csv" },
      {
        get: (target, name) => {
          if (name !== "path") return Reflect.get(target, name);
          reads += 1;
          return reads === 1 ? "data/orders.csv" : "secret/keys";
        },
      },
    );
    let result: Awaited<ReturnType<typeof rig.pipeline.execute>> | null = null;
    try {
      result = await rig.pipeline.execute({ actor: "a", action: "fs.read", parameters });
    } catch (error) {
      expect(error).toMatchObject({ code: expect.stringMatching(/^EXO_/) });
    }
    if (result?.status === "executed") expect(inputOf(rig)).toEqual({ path: "data/orders.csv" });
    for (const record of checkStore(rig)) {
      if (record.state === "completed") expect(rig.disk.done).toEqual([]);
    }
  });

  test("nothing the host is handed can be written to", async () => {
    const rig = await openRig();
    let seen: unknown;
    rig.sandbox.scripts["read"] = (guest) => {
      seen = guest.parameters;
      return Promise.resolve({});
    };
    const result = await rig.pipeline.execute(draft("fs.read", "data/orders.csv"));
    expect(seen).toEqual({ path: "data/orders.csv" });
    expect(result.status).toBe("executed");
    // A caller who changes the result it was given changes no later one.
    if (result.status === "executed") {
      (result.output as { [name: string]: unknown })["forged"] = true;
      const again = rig.pipeline.status(result.intentId);
      expect(again.status === "executed" && again.output).toEqual({});
      const copy = result.bundle.bytes();
      copy.fill(0);
      expect(result.bundle.bytes()).not.toEqual(copy);
    }
  });

  test("a frozen draft, and one without a prototype, are taken", async () => {
    const rig = await openRig();
    const frozen = deepFreeze({ actor: "a", action: "fs.read", parameters: { path: "data/orders.csv" } });
    expect(endOf(await rig.pipeline.execute(frozen))).toBe("executed");
    const bare = Object.assign(Object.create(null) as object, frozen);
    expect(endOf(await rig.pipeline.execute(bare as never))).toBe("executed");
  });

  test("a manifest and a module that change after they were admitted change nothing", async () => {
    const rig = await openRig({ plugins: [] });
    const { manifest, wasm } = fsPlugin();
    const { resolveManifest } = await import("../../src/contracts/manifest-draft.js");
    const resolved = resolveManifest(manifest, wasm);
    if (!resolved.ok) throw new Error(resolved.error.message);
    expect((await rig.pipeline.addExecutor(resolved.value, wasm)).ok).toBe(true);
    const read = resolved.value.functions[0];
    if (read !== undefined) Object.assign(read, { target: undefined, effects: "none" });
    resolved.value.limits.fuel = 1;
    wasm.fill(0, 8);
    const result = await rig.pipeline.execute(draft("fs.read", "data/orders.csv", { target: "data/orders.csv" }));
    expect(endOf(result)).toBe("executed");
    expect(rig.sandbox.jobs[0]?.limits.fuel).toBe(1_000_000_000);
    // Its own bundle is made from memory, a later one from the store: both must hold what was admitted.
    if (result.status === "executed") verified(result.bundle.bytes(), rig.trust);
    checkStore(rig);
  });
});

describe("refused before anything is recorded", () => {
  const base = { actor: "a", action: "fs.read", parameters: { path: "data/orders.csv" } };
  const deep = (levels: number): unknown => JSON.parse(`${"[".repeat(levels)}${"]".repeat(levels)}`);
  class Draft {
    readonly actor = "a";
    readonly action = "fs.read";
    readonly parameters = { path: "data/orders.csv" };
  }

  test.each<[string, unknown, string]>([
    [
      "a getter",
      {
        ...base,
        get target() {
          return "data/orders.csv";
        },
      },
      "EXO_JSON_TYPE",
    ],
    [
      "a getter in the parameters",
      {
        ...base,
        parameters: {
          get path() {
            return "data/orders.csv";
          },
        },
      },
      "EXO_JSON_TYPE",
    ],
    [
      "toJSON",
      { ...base, parameters: { path: "data/x", toJSON: () => ({ path: "data/orders.csv" }) } },
      "EXO_JSON_TYPE",
    ],
    ["a class instance", new Draft(), "EXO_JSON_TYPE"],
    ["a Map", { ...base, parameters: new Map([["path", "data/orders.csv"]]) }, "EXO_JSON_TYPE"],
    ["a Date", { ...base, context: { at: new Date(0) } }, "EXO_JSON_TYPE"],
    ["undefined", { ...base, target: undefined }, "EXO_JSON_TYPE"],
    ["a function", { ...base, parameters: { path: () => "x" } }, "EXO_JSON_TYPE"],
    ["a symbol key", { ...base, [Symbol("x")]: 1 }, "EXO_JSON_TYPE"],
    ["a hole", { ...base, parameters: { list: new Array(1) } }, "EXO_JSON_TYPE"],
    ["NaN", { ...base, parameters: { n: Number.NaN } }, "EXO_JSON_NUMBER"],
    ["-0", { ...base, parameters: { n: -0 } }, "EXO_JSON_NUMBER"],
    ["an unsafe integer", { ...base, parameters: { n: 2 ** 53 } }, "EXO_JSON_NUMBER"],
    ["a bigint", { ...base, parameters: { n: 1n } }, "EXO_JSON_TYPE"],
    ["a lone surrogate", { ...base, parameters: { path: "data/\ud800" } }, "EXO_JSON_SURROGATE"],
    [
      "__proto__ in the parameters",
      { ...base, parameters: JSON.parse('{"__proto__":{"path":"x"}}') },
      "EXO_JSON_FORBIDDEN_KEY",
    ],
    [
      "__proto__ at the top",
      JSON.parse('{"actor":"a","action":"fs.read","parameters":{},"__proto__":{}}'),
      "EXO_JSON_FORBIDDEN_KEY",
    ],
    ["nesting of 129", { ...base, parameters: { x: deep(127) } }, "EXO_JSON_DEPTH"],
    ["more than a mebibyte", { ...base, parameters: { x: "x".repeat(maxIntentBytes) } }, "EXO_JSON_SIZE"],
    ["an unknown member", { ...base, force: true }, "EXO_SCHEMA"],
    ["a salt of the caller's own", { ...base, salt: "A".repeat(43) }, "EXO_SCHEMA"],
    ["a requester of the caller's own", { ...base, requester: { principal: "root", method: "token" } }, "EXO_SCHEMA"],
    ["no actor", { action: "fs.read", parameters: {} }, "EXO_SCHEMA"],
    ["an action that is no verb", { ...base, action: "Remove Everything" }, "EXO_SCHEMA"],
    ["parameters that are a list", { ...base, parameters: [] }, "EXO_SCHEMA"],
    ["an intent id that is no ULID", { ...base, intentId: "1" }, "EXO_SCHEMA"],
    ["a lower-case intent id", { ...base, intentId: "01hzzzzzzzzzzzzzzzzzzzzzzz" }, "EXO_SCHEMA"],
    ["an idempotency key with a line break", { ...base, idempotencyKey: "a\nb" }, "EXO_SCHEMA"],
    ["an empty target", { ...base, target: "" }, "EXO_SCHEMA"],
    ["a time with an offset", { ...base, expiresAt: "2026-01-31T09:00:00.000+01:00" }, "EXO_SCHEMA"],
    ["the 31st of February", { ...base, expiresAt: "2027-02-31T09:00:00.000Z" }, "EXO_SCHEMA"],
    ["the system's correlation id", { ...base, correlationId: "system" }, "EXO_SCHEMA"],
    ["a string", "fs.read", "EXO_SCHEMA"],
    ["null", null, "EXO_SCHEMA"],
  ])("%s", async (_name, what, code) => {
    await refusedWith(await openRig(), what, code);
  });

  test.each<[string, Uint8Array, string]>([
    [
      "a duplicate key",
      bytes('{"actor":"a","action":"fs.read","action":"fs.remove","parameters":{"path":"data/x"}}'),
      "EXO_JSON_DUPLICATE_KEY",
    ],
    [
      "an escaped duplicate key",
      bytes('{"actor":"a","action":"fs.read","parameters":{"path":"data/x","p\\u0061th":"secret"}}'),
      "EXO_JSON_DUPLICATE_KEY",
    ],
    ["__proto__", bytes('{"actor":"a","action":"fs.read","parameters":{"__proto__":1}}'), "EXO_JSON_FORBIDDEN_KEY"],
    ["bytes that are not UTF-8", Uint8Array.of(0x22, 0xff, 0x22), "EXO_JSON_UTF8"],
    ["a byte order mark", bytes('\ufeff{"actor":"a"}'), "EXO_JSON_SYNTAX"],
    ["two documents", bytes("{} {}"), "EXO_JSON_SYNTAX"],
    ["nothing", new Uint8Array(0), "EXO_JSON_SYNTAX"],
    ["too much", new Uint8Array(maxIntentBytes + 1).fill(0x20), "EXO_JSON_SIZE"],
  ])("as bytes: %s", async (_name, what, code) => {
    await refusedWith(await openRig(), what, code);
  });

  test("JSON that is not canonical is taken, and hashed in canonical form", async () => {
    const rig = await openRig();
    const loose = bytes(
      '{ "parameters" : {"path":"data\\/orders.csv"},\n "action":"fs.read","actor":"a", "idempotencyKey":"k" }',
    );
    const first = await rig.pipeline.execute(loose);
    const same = {
      actor: { id: "a", type: "agent" },
      action: "fs.read",
      parameters: { path: "data/orders.csv" },
      idempotencyKey: "k",
    };
    expect((await rig.pipeline.execute(canonicalize(same))).intentId).toBe(first.intentId);
    expect(inputOf(rig)).toEqual({ path: "data/orders.csv" });
  });
});

describe("well-formed intents that cannot run are denied and recorded", () => {
  test.each<[string, { readonly [name: string]: unknown }, string]>([
    ["an unknown tenant", { tenantId: "nobody" }, "EXO_TENANT_UNKNOWN"],
    ["expired", { expiresAt: "2026-01-31T09:00:00.000Z" }, "EXO_INTENT_EXPIRED"],
    ["an unknown executor", { executor: "nothing" }, "EXO_EXECUTOR_UNKNOWN"],
    ["an unknown function", { executor: { name: "fs", function: "format" } }, "EXO_EXECUTOR_UNKNOWN"],
    ["a function of another action", { executor: { name: "fs", function: "remove" } }, "EXO_EXECUTOR_UNKNOWN"],
    ["the name of an object's own method", { executor: "constructor" }, "EXO_EXECUTOR_UNKNOWN"],
    ["the prototype's name", { executor: "__proto__" }, "EXO_EXECUTOR_UNKNOWN"],
  ])("%s", async (_name, more, code) => {
    const rig = await openRig();
    const denied = await rig.pipeline.execute(draft("fs.read", "data/orders.csv", more));
    expect(endOf(denied)).toBe(`denied ${code}`);
    expect([denied.decision, denied.safety]).toEqual([null, null]);
    expect(rig.sandbox.starts).toBe(0);
    checkStore(rig);
  });

  test("an intent for another cell is denied, and its events are this cell's", async () => {
    const rig = await openRig();
    const denied = await rig.pipeline.execute(draft("fs.read", "data/orders.csv", { cellId: "elsewhere" }));
    expect(endOf(denied)).toBe("denied EXO_TENANT_UNKNOWN");
    expect(rig.pipeline.trace(denied.intentId).map((event) => event.cellId)).toEqual(["local", "local"]);
    if (denied.status !== "denied") throw new Error(denied.status);
    verified(denied.bundle.bytes(), rig.trust);
    expect(rig.sandbox.starts).toBe(0);
  });

  test("an action that two executors claim needs a name", async () => {
    const other = fsPlugin();
    const rig = await openRig({ plugins: [fsPlugin(), { ...other, manifest: { ...other.manifest, name: "fs-two" } }] });
    expect(endOf(await rig.pipeline.execute(draft("fs.read", "data/orders.csv")))).toBe(
      "denied EXO_EXECUTOR_AMBIGUOUS",
    );
    expect(endOf(await rig.pipeline.execute(draft("fs.read", "data/orders.csv", { executor: "fs" })))).toBe("executed");
    checkStore(rig);
  });

  test("a long list of refused plugins still makes a record that verifies", async () => {
    const rig = await openRig();
    for (let index = 0; index < 300; index++)
      rig.pipeline.refuseExecutor(`plugin-${index}`, { code: "EXO_WASM_INVALID", message: "x" });
    const denied = await rig.pipeline.execute(draft("no.such", "x"));
    expect(endOf(denied)).toBe("denied EXO_EXECUTOR_UNKNOWN");
    if (denied.status === "denied") expect(denied.reason.message).toHaveLength(4000);
    checkStore(rig);
  });

  test("two functions of one name, by action: the present result is the one of the action", async () => {
    const base = fsPlugin();
    const functions = [
      { name: "read", action: "fs.read", target: "/path", effects: "read" as const },
      { name: "read", action: "fs.raw", target: "/path", effects: "read" as const, output: "bytes" as const },
    ];
    const rig = await openRig({
      plugins: [{ ...base, manifest: { ...base.manifest, functions } }],
      rules: [...usualRules, { id: "raw", match: { action: "fs.raw" }, verdict: "allow" }],
    });
    const result = await rig.pipeline.execute(draft("fs.raw", "data/orders.csv"));
    expect(result).toMatchObject({ status: "executed", output: bytes('{"path":"data/orders.csv"}') });
    const present = rig.pipeline.status(result.intentId);
    expect(present.status === "executed" && present.output).toEqual(bytes('{"path":"data/orders.csv"}'));
  });
});
