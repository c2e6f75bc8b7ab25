import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeUtf8 } from "../../src/crypto/encoding.js";
import { errorKind, isExoArmurError } from "../../src/errors.js";
import { checkStore, openRig, type Rig, verified } from "../support/rig.js";

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: "binary" }),
  fc.constantFrom("", "default", "__proto__", "\u0000"),
);
const path = fc.oneof(
  fc.constantFrom("data/orders.csv", "data/../secret", "/etc/passwd", "data//x", "data/\u202e.csv", "DATA/x", "data"),
  text,
);
const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 6, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });

const action = fc.constantFrom("fs.write", "fs.remove", "fs.read", "fs.list", "no.body");

/** A draft that has the right members more often than not, with anything in them. */
const draft = fc
  .record({
    actor: fc.oneof({ weight: 6, arbitrary: fc.constant("me") }, text, fc.record({ id: text, type: text })),
    action: fc.oneof({ weight: 8, arbitrary: action }, text),
    parameters: fc.oneof(
      { weight: 3, arbitrary: fc.record({ path }) },
      { weight: 3, arbitrary: fc.record({ path, text }) },
      fc.dictionary(text, fc.jsonValue()),
    ),
    target: optional(path),
    executor: optional(fc.oneof(fc.constantFrom("fs", "nobody"), fc.record({ name: text, function: text }))),
    tenantId: optional(fc.constantFrom("default", "other", "elsewhere")),
    correlationId: optional(text),
    idempotencyKey: optional(fc.constantFrom("a", "b", "c")),
    expiresAt: optional(fc.constantFrom("2020-01-01T00:00:00.000Z", "2099-01-01T00:00:00.000Z", "tomorrow")),
    context: optional(fc.jsonValue()),
    more: optional(fc.jsonValue()),
  })
  .map((made) => Object.fromEntries(Object.entries(made).filter(([, value]) => value !== undefined)));

/** Hands a draft in as an object or as bytes; malformed ones are refused as such, everything else is a value. */
async function handIn(rig: Rig, made: object, asBytes: boolean): Promise<void> {
  try {
    const given = asBytes ? encodeUtf8(JSON.stringify(made)) : made;
    const result = await rig.pipeline.execute(given as never);
    expect(["executed", "failed", "denied", "approval_pending"]).toContain(result.status);
    if ("bundle" in result) verified(result.bundle.bytes(), rig.trust);
  } catch (error) {
    if (!isExoArmurError(error)) throw error;
    expect(errorKind(error.code), `${error.code}: ${error.message}`).toBe("input");
  }
}

describe("any draft", () => {
  it("is refused as malformed or ends in a record that verifies, and reaches no file outside", {
    timeout: 60_000,
  }, async () => {
    const rig = await openRig();
    await fc.assert(
      fc.asyncProperty(draft, fc.boolean(), async (made, asBytes) => await handIn(rig, made, asBytes)),
      { numRuns: 300, seed: 11 },
    );
    const records = checkStore(rig);
    expect(records.length).toBeGreaterThan(50);
    expect([...rig.disk.files.keys()].filter((name) => !name.startsWith("data"))).toEqual([]);
    expect(rig.disk.done.filter((what) => what.startsWith("fs_remove"))).toEqual([]);
  });

  it("that is no object at all is refused as malformed", async () => {
    const rig = await openRig();
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.anything(), fc.uint8Array({ maxLength: 200 })), async (anything) => {
        await expect(rig.pipeline.execute(anything as never)).rejects.toSatisfy(
          (error) => isExoArmurError(error) && errorKind(error.code) === "input",
        );
      }),
      { numRuns: 200, seed: 13 },
    );
    expect(checkStore(rig)).toEqual([]);
  });
});
