import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/contracts/json-schema.js";
import type { ManifestDraft } from "../../src/contracts/manifest.js";
import { resolveManifest } from "../../src/contracts/manifest-draft.js";
import type { PolicyRule } from "../../src/contracts/policy.js";
import type { ExecutionResult } from "../../src/pipeline/types.js";
import { createMemoryStore } from "../../src/stores/memory.js";
import { replay } from "../replay/support.js";
import { FakeSandbox, type Script } from "../support/fake-sandbox.js";
import { Forge } from "../support/forge.js";
import { kvDraft, kvPlugin, kvRig, kvState } from "../support/kv.js";
import { realPool } from "../support/real.js";
import {
  checkStore,
  draft,
  endOf,
  eventTypes,
  fsPlugin,
  openRig,
  type Plugin,
  pluginAt,
  type Rig,
} from "../support/rig.js";
import { grant } from "../support/sign.js";
import { keys } from "../support/world.js";

type Schemas = { readonly inputSchema?: JsonObject; readonly outputSchema?: JsonObject };

/** plugins/fs with these schemas in every function. */
function withSchemas(plugin: Plugin, schemas: Schemas, more: object = {}): Plugin {
  const functions = plugin.manifest.functions.map((fn) => ({ ...fn, ...more, ...schemas }));
  return { ...plugin, manifest: { ...plugin.manifest, functions } as ManifestDraft };
}

const openWith = (schemas: Schemas, options: Parameters<typeof openRig>[0] = {}): Promise<Rig> =>
  openRig({ ...options, plugins: [withSchemas(fsPlugin(), schemas)] });

const reasonOf = (result: ExecutionResult): unknown => ("reason" in result ? result.reason : result.status);

const pathSchema: JsonObject = {
  type: "object",
  properties: { path: { type: "string", maxLength: 20 }, text: { type: "string" } },
  required: ["path"],
  additionalProperties: false,
};

describe("parameters that break the input schema", () => {
  it.each<[string, string, object, string]>([
    [
      "a member too many",
      "data/a.csv",
      { parameters: { more: "SECRET" } },
      '"/more", additionalProperties: no value is allowed here',
    ],
    ["a text too long", `data/${"x".repeat(30)}`, {}, '"/path", maxLength: expected at most 20 characters'],
    ["another type", "data/a.csv", { parameters: { text: 7 } }, '"/text", type: expected string'],
    ["the member missing", "", { parameters: { path: undefined } }, '"", required: the member "path" is missing'],
  ])("%s: denied before anything is judged or run", async (_what, path, more, where) => {
    const rig = await openWith({ inputSchema: pathSchema });
    const given = JSON.parse(JSON.stringify(draft("fs.read", path, more as never))) as never;
    const denied = await rig.pipeline.execute(given);
    expect(reasonOf(denied)).toEqual({
      code: "EXO_INPUT_SCHEMA",
      message: `the parameters do not fit the input schema of fs.read: at ${where}`,
      ruleIds: [],
      approvalCouldHelp: false,
      retrySafe: false,
    });
    expect(denied.status).toBe("denied");
    expect(eventTypes(rig, denied.intentId)).toEqual(["intent_received", "intent_denied"]);
    expect(rig.sandbox.starts).toBe(0);
    checkStore(rig);
  });

  it("are judged before their target", async () => {
    const rig = await openWith({ inputSchema: pathSchema });
    expect(endOf(await rig.pipeline.execute(draft("fs.read", "data/a", { parameters: { path: 7 } })))).toBe(
      "denied EXO_INPUT_SCHEMA",
    );
  });

  it("ask nobody for an approval", async () => {
    const rig = await openWith({ inputSchema: pathSchema });
    expect(endOf(await rig.pipeline.execute(draft("fs.remove", "data/orders.csv", { parameters: { more: 1 } })))).toBe(
      "denied EXO_INPUT_SCHEMA",
    );
    const pending = await rig.pipeline.execute(draft("fs.remove", "data/orders.csv"));
    if (pending.status !== "approval_pending") throw new Error(endOf(pending));
    expect(endOf(await rig.pipeline.decide(await grant(pending.approval, "alice", keys.alice)))).toBe("executed");
  });

  it.each(["intent", "text", "bytes"])("are the parameters also where the input is %s", async (input) => {
    const plugin = withSchemas(fsPlugin(), { inputSchema: { required: ["path", "input"] } }, { input });
    const rig = await openRig({ plugins: [plugin], sandbox: new FakeSandbox({ read: () => Promise.resolve("x") }) });
    expect(endOf(await rig.pipeline.execute(draft("fs.read", "data/a")))).toBe("denied EXO_INPUT_SCHEMA");
  });

  it("fit, and the run goes on", async () => {
    const rig = await openWith({ inputSchema: pathSchema });
    expect(endOf(await rig.pipeline.execute(draft("fs.read", "data/orders.csv")))).toBe("executed");
    checkStore(rig);
  });
});

describe("an output that breaks the output schema", () => {
  const outputSchema: JsonObject = { properties: { path: { const: "data/orders.csv" } }, required: ["path"] };

  it("fails the run: no output, no value of it in the reason", async () => {
    const rig = await openWith({ outputSchema });
    rig.disk.files.set("data/secret.csv", "x");
    expect(endOf(await rig.pipeline.execute(draft("fs.read", "data/orders.csv")))).toBe("executed");
    const failed = await rig.pipeline.execute(draft("fs.read", "data/secret.csv"));
    if (failed.status !== "failed") throw new Error(endOf(failed));
    expect(failed.reason).toEqual({
      code: "EXO_OUTPUT_SCHEMA",
      message:
        'the output does not fit the output schema of fs.read: at "/path", const: expected the one allowed value',
      ruleIds: [],
      approvalCouldHelp: false,
      retrySafe: true,
    });
    expect(failed.execution).toMatchObject({ status: "guest_error", error: { code: "EXO_OUTPUT_SCHEMA" } });
    expect(failed.execution).not.toHaveProperty("outputDigest");
    expect(failed.execution.transcript.size).toBe(1);
    checkStore(rig);
  });

  it("leaves what the run did on record, and its effect key held", async () => {
    const plugin = withSchemas(fsPlugin({ effectKey: ["/path"] }), { outputSchema });
    const rig = await openRig({ plugins: [plugin] });
    const write = draft("fs.write", "data/a.csv", { parameters: { text: "x" } });
    const failed = await rig.pipeline.execute(write);
    expect(endOf(failed)).toBe("failed EXO_OUTPUT_SCHEMA");
    if (failed.status === "failed") expect(failed.reason.retrySafe).toBe(false);
    expect(rig.disk.files.get("data/a.csv")).toBe("x");
    expect(eventTypes(rig, failed.intentId)).toContain("effect_started");
    expect(endOf(await rig.pipeline.execute(write))).toBe("denied EXO_EFFECT_KEY_HELD");
    checkStore(rig);
  });

  it("applies no key or value", async () => {
    const store = createMemoryStore();
    const change = (draft: ManifestDraft): ManifestDraft => ({
      ...draft,
      functions: draft.functions.map((fn) => ({ ...fn, outputSchema: { type: "array", maxItems: 1 } })),
    });
    const rig = await kvRig({ store, plugins: [kvPlugin("kv", change)] });
    expect(endOf(await rig.pipeline.execute(kvDraft([["put", "a", "1"]])))).toBe("executed");
    const failed = await rig.pipeline.execute(
      kvDraft([
        ["put", "a", "2"],
        ["put", "b", "3"],
      ]),
    );
    expect(endOf(failed)).toBe("failed EXO_OUTPUT_SCHEMA");
    expect(kvState(store)).toEqual([["a", "1", 1]]);
    checkStore(rig);
  });

  it("is in doubt where a write is", async () => {
    const rig = await openWith({ outputSchema: { type: "null" } });
    rig.disk.onWrite = () => Promise.resolve("unknown");
    const script: Script = async (guest) => {
      await guest.call("fs_write", { path: "data/a.csv", bytes: new Uint8Array(1), mode: "create" });
      return { done: true };
    };
    rig.sandbox.scripts["write"] = script;
    expect(endOf(await rig.pipeline.execute(draft("fs.write", "data/a.csv")))).toBe("in_doubt EXO_IN_DOUBT");
    checkStore(rig);
  });

  it("that is no JSON at all is said to be that", async () => {
    const rig = await openWith({ outputSchema });
    rig.sandbox.scripts["read"] = () => Promise.resolve(Uint8Array.of(0x7b));
    const failed = await rig.pipeline.execute(draft("fs.read", "data/orders.csv"));
    expect(reasonOf(failed)).toMatchObject({ code: "EXO_GUEST_ERROR", message: "the output is not json" });
  });

  it("that is too large to be checked fails as well", async () => {
    const rig = await openWith({
      outputSchema: { items: { anyOf: Array.from({ length: 998 }, () => ({ minimum: 0 })) } },
    });
    rig.sandbox.scripts["read"] = () => Promise.resolve(Array.from({ length: 2500 }, () => 1));
    const failed = await rig.pipeline.execute(draft("fs.read", "data/orders.csv"));
    expect(reasonOf(failed)).toMatchObject({
      code: "EXO_OUTPUT_SCHEMA",
      message: expect.stringContaining('at "", size:'),
    });
  });
});

describe("a manifest with schemas", () => {
  const wasm = fsPlugin().wasm;
  const refused = (schemas: Schemas, more: object = {}): string => {
    const resolved = resolveManifest(withSchemas(fsPlugin(), schemas, more).manifest, wasm);
    return resolved.ok ? "ok" : `${resolved.error.code} ${resolved.error.message}`;
  };

  it("is refused with the place and what is allowed", () => {
    expect(refused({ inputSchema: { properties: { path: { pattern: "^data/" } } } })).toContain(
      "EXO_SCHEMA fs: /functions/0/inputSchema/properties/path/pattern: expected one of the keywords type,",
    );
    expect(refused({ outputSchema: { type: "date" } })).toContain(
      "/functions/0/outputSchema/type: expected one or more different names of null,",
    );
    expect(refused({ inputSchema: [] as never })).toContain("/functions/0/inputSchema: expected a JSON object");
    expect(refused({ inputSchema: true as never })).toContain("/functions/0/inputSchema: expected a JSON object");
  });

  it.each(["text", "bytes"])("has no output schema where the output is %s", (output) => {
    expect(refused({ outputSchema: {} }, { output })).toContain(
      "/functions/0/outputSchema: an output schema needs the output json",
    );
    expect(refused({ inputSchema: {} }, { output })).toBe("ok");
  });

  it("is hashed with them", () => {
    const digestOf = (schemas: Schemas): string => {
      const resolved = resolveManifest(withSchemas(fsPlugin(), schemas).manifest, wasm);
      return resolved.ok ? JSON.stringify(resolved.value.functions[0]) : "";
    };
    expect(digestOf({ inputSchema: pathSchema })).toContain('"inputSchema":{"type":"object"');
    expect(digestOf({ inputSchema: pathSchema })).not.toBe(digestOf({}));
  });
});

describe("a replay", () => {
  const sandbox = realPool({ size: 1 });
  const anything: PolicyRule = { id: "any", match: { action: "test.*" }, verdict: "allow" };
  const echo = (schemas: Schemas): Plugin => withSchemas(pluginAt("test/fixtures/echo"), schemas);
  const run = async (
    schemas: Schemas,
  ): Promise<{ readonly rig: Rig; readonly result: ExecutionResult; readonly bytes: Uint8Array }> => {
    const rig = await openRig({ sandbox, rules: [anything], plugins: [echo(schemas)] });
    const result = await rig.pipeline.execute(draft("test.echo", "x", { correlationId: "one" }));
    return { rig, result, bytes: rig.pipeline.bundle(result.intentId)?.bytes() ?? new Uint8Array(0) };
  };

  it("ends as the recording did, under a schema that holds and under one that does not", async () => {
    const held = await run({ outputSchema: { properties: { path: { const: "x" } } } });
    const broken = await run({ outputSchema: { properties: { path: { const: "y" } } } });
    expect([endOf(held.result), endOf(broken.result)]).toEqual(["executed", "failed EXO_OUTPUT_SCHEMA"]);
    for (const { bytes, rig } of [held, broken]) {
      const report = await replay(bytes, rig.trust, sandbox);
      expect([report.result, report.failures, report.divergence]).toEqual(["success", [], null]);
      expect(report.levels.execution).toBe("pass");
    }
  });

  it("finds a failure that claims a broken schema and has none, and a success over a broken one", async () => {
    const { bytes, rig } = await run({ outputSchema: { properties: { path: { const: "y" } } } });
    const forge = new Forge(bytes);
    await forge.edit("manifest", (manifest) => (manifest.functions[0].outputSchema = { type: "object" }));
    const report = await replay(await forge.pack(), rig.trust, sandbox);
    expect(report.result).not.toBe("success");
    expect(report.divergence).toMatchObject({
      kind: "execution_status_mismatch",
      expected: "guest_error",
      actual: "completed",
    });
    const honest = await run({});
    const other = new Forge(honest.bytes);
    await other.edit("manifest", (manifest) => (manifest.functions[0].outputSchema = { type: "null" }));
    const broken = await replay(await other.pack(), honest.rig.trust, sandbox);
    expect(JSON.stringify(broken.checks)).toContain("EXO_OUTPUT_SCHEMA");
    expect(broken.result).not.toBe("success");
  });
});
