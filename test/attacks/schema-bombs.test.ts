import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../src/contracts/json-schema.js";
import type { ManifestDraft } from "../../src/contracts/manifest.js";
import { resolveManifest } from "../../src/contracts/manifest-draft.js";
import { checkStore, draft, endOf, fsPlugin, openRig, type Plugin } from "../support/rig.js";

const many = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

/** Definitions of which each uses the next one in its own way; the last is any value. */
function chain(length: number, use: (next: JsonObject) => JsonObject): JsonObject {
  const name = (i: number): string => `d${i}`;
  const last = length - 1;
  const definitions = many(
    length,
    (i) => [name(i), i === last ? {} : use({ $ref: `#/$defs/${name(i + 1)}` })] as const,
  );
  return { $defs: Object.fromEntries(definitions), $ref: "#/$defs/d0" };
}

function withInput(inputSchema: JsonObject): Plugin {
  const plugin = fsPlugin();
  const functions = plugin.manifest.functions.map((fn) => ({ ...fn, inputSchema }));
  return { ...plugin, manifest: { ...plugin.manifest, functions } as ManifestDraft };
}

/** Schemas that would take a validator for ever, or out of its stack, or to somebody else's server. */
const bombs: Readonly<Record<string, JsonObject>> = {
  "a schema that doubles with every reference": chain(60, (next) => ({ anyOf: [next, next] })),
  "a schema that doubles in depth as well": chain(30, (next) => ({ items: next, additionalProperties: next })),
  "a schema that is itself": { $defs: { a: { $ref: "#/$defs/a" } }, $ref: "#/$defs/a" },
  "a schema of trees of itself": { $defs: { a: { items: { anyOf: many(10, () => ({ $ref: "#/$defs/a" })) } } } },
  "a schema that is far too deep": chain(500, (next) => ({ not: next })),
  "a schema that is far too wide": { anyOf: many(5000, (i) => ({ const: i })) },
  "a schema with an expression that backtracks": { properties: { path: { pattern: "^(a+)+$" } } },
  "a schema with names that backtrack": { patternProperties: { "^(a|a)*$": true } },
  "a schema fetched from elsewhere": { $ref: "https://attacker.example/schema.json" },
  "a schema that names itself anew": { $id: "https://json-schema.org/draft/2020-12/schema", $ref: "#" },
  "a schema of another language": { $schema: "http://json-schema.org/draft-04/schema#", id: "x" },
};

describe("a manifest with a bomb for a schema", () => {
  test.each(Object.keys(bombs))("%s is not admitted", (name) => {
    const { manifest, wasm } = withInput(bombs[name] ?? {});
    const resolved = resolveManifest(manifest, wasm);
    expect(resolved.ok ? "admitted" : resolved.error.code).toBe("EXO_SCHEMA");
    if (!resolved.ok) expect(resolved.error.message).toContain("/functions/0/inputSchema");
  });
});

/** Schemas that are admitted, each as costly as a schema may be, and parameters made for them. */
const costly: Readonly<Record<string, readonly [schema: JsonObject, value: unknown]>> = {
  "every alternative for every value": [
    { properties: { x: { items: { oneOf: many(990, (i) => ({ maximum: i - 5000 })) } } } },
    many(5000, () => 1),
  ],
  "every item beside every other": [{ properties: { x: { uniqueItems: true } } }, many(5000, (i) => i)],
  "items that differ in their last place": [
    { properties: { x: { uniqueItems: true } } },
    many(400, (i) => [...many(50, () => 0), i]),
  ],
  "a long name": [{ additionalProperties: { additionalProperties: false } }, { ["\u0001".repeat(10_000)]: 1 }],
  "members of every object's": [
    { properties: { x: { additionalProperties: false } } },
    { constructor: 1, toString: 2, hasOwnProperty: 3 },
  ],
};

describe("parameters made for a costly schema", () => {
  test.each(Object.keys(costly))("%s: denied in bounded work, with a short reason", async (name) => {
    const [schema, x] = costly[name] ?? [{}, null];
    const rig = await openRig({ plugins: [withInput(schema)] });
    const given = draft("fs.read", "data/orders.csv", {
      parameters: { x },
    });
    const denied = await rig.pipeline.execute(given);
    expect(endOf(denied)).toBe("denied EXO_INPUT_SCHEMA");
    if (denied.status === "denied") expect(denied.reason.message.length).toBeLessThan(600);
    expect(rig.sandbox.starts).toBe(0);
    checkStore(rig);
  });

  test("a name that readers refuse never reaches a schema", async () => {
    const rig = await openRig({ plugins: [withInput({ additionalProperties: true })] });
    const given = JSON.parse(
      '{"actor":"a","action":"fs.read","parameters":{"path":"data/a","__proto__":{"x":1}}}',
    ) as never;
    await expect(rig.pipeline.execute(given)).rejects.toMatchObject({ code: "EXO_JSON_FORBIDDEN_KEY" });
  });
});
