import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { AnyPolicy } from "../../src/contracts/policy-cedar.js";
import { diffAny } from "../../src/policy/diff.js";
import { readPolicy } from "../../src/policy/read.js";
import { readProgram } from "../../src/runtime/policy-file.js";
import { errorOf } from "../policy/helpers.js";

const example = new URL("../../examples/policy-cedar/policy.json", import.meta.url).pathname;
const document = JSON.parse(readFileSync(example, "utf8")) as object;
const folder = mkdtempSync(join(tmpdir(), "exo-policy-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const bytesOf = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

describe("a Cedar policy's texts", () => {
  it("are read from its own folder into the document, which names no file", async () => {
    const { document: policy } = await readProgram(readFileSync(example), example);
    expect(policy).toMatchObject({ policies: readFileSync(example.replace(".json", ".cedar"), "utf8") });
    expect(JSON.stringify(policy)).not.toContain('"file"');
  });

  it.each([
    ["one that is not there", { file: "none.cedar" }, "EXO_FILE", "p.json: none.cedar cannot be read: ENOENT"],
    ["one in another folder", { file: "../x.cedar" }, "EXO_FILE", "expected the name of a file beside it"],
    ["the folder above", { file: ".." }, "EXO_FILE", "expected the name of a file beside it"],
    ["an absolute one", { file: "/etc/passwd" }, "EXO_FILE", "expected the name of a file beside it"],
    ["none", { file: "" }, "EXO_FILE", "expected the name of a file beside it"],
    ["a folder", { file: "." }, "EXO_FILE", "cannot be read: EISDIR"],
    ["one under another name", { path: "x.cedar" }, "EXO_SCHEMA", ": /policies:"],
    ["one with more beside it", { file: "x.cedar", sha: 1 }, "EXO_SCHEMA", ": /policies:"],
    ["one that is no text", { file: "bytes" }, "EXO_FILE", "the bytes are not well-formed UTF-8"],
    [
      "what Cedar refuses",
      "permit(principal, action, resource);",
      "EXO_SCHEMA",
      "p.json: /policies: a policy has no @id",
    ],
  ])("%s is refused", async (_name, policies, code, words) => {
    writeFileSync(join(folder, "bytes"), new Uint8Array([0xff]));
    const file = join(folder, "p.json");
    const reading = readProgram(bytesOf({ ...document, cedarSchema: "", policies }), file);
    await expect(reading).rejects.toMatchObject({ code, message: expect.stringContaining(words) });
  });

  it("are not read where there is no folder", () => {
    expect(errorOf(() => readPolicy(bytesOf(document), "p.json")).code).toBe("EXO_SCHEMA");
  });
});

describe("diff", () => {
  it("compares a Cedar policy with none but itself", async () => {
    const { document: policy } = await readProgram(readFileSync(example), example);
    const none: AnyPolicy = { schema: "exoarmur.policy/v1", policyId: "none", version: 1, rules: [] };
    expect(diffAny(policy, structuredClone(policy))).toEqual({
      result: "same_or_narrower",
      widenings: [],
      undecided: [],
      tried: 0,
    });
    const undecided =
      "a policy in Cedar is compared with none but itself; backtest shows what recorded history it changes";
    for (const [before, after] of [
      [policy, none],
      [none, policy],
      [policy, { ...policy, version: 3 }],
    ] as const) {
      expect(diffAny(before, after)).toEqual({ result: "undecided", widenings: [], undecided: [undecided], tried: 0 });
    }
    expect(diffAny(none, none).result).toBe("same_or_narrower");
  });
});
