import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createFsPerformers } from "../../src/capabilities/performers/fs/files.js";
import type { ExecutionResult } from "../../src/pipeline/types.js";
import { replay } from "../replay/support.js";
import { realPool } from "../support/real.js";
import { endOf, openRig, pluginAt, type Rig } from "../support/rig.js";

// The executors in C and Rust through the whole pipeline: policy, sandbox, broker, real files, bundle, replay.

const folder = mkdtempSync(join(tmpdir(), "toolchain-run-"));
const content = Buffer.from("0123456789abcdef".repeat(40_000));
const sandbox = realPool({ size: 1 });
let rig: Rig;

beforeAll(async () => {
  writeFileSync(join(folder, "large.bin"), content);
  rig = await openRig({
    sandbox,
    performers: createFsPerformers({ data: { path: folder, access: "read" } }),
    plugins: [pluginAt("plugins/checksum"), pluginAt("plugins/text-diff")],
    grants: { checksum: { fs_read: { roots: ["data"], paths: ["data/large.bin"] } } },
    rules: [{ id: "any", match: { action: ["file.checksum", "text.diff"] }, verdict: "allow" }],
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const execute = (action: string, parameters: object): Promise<ExecutionResult> =>
  rig.pipeline.execute({ actor: { id: "agent", type: "agent" }, action, parameters } as never);
const outputOf = (result: ExecutionResult): unknown => (result.status === "executed" ? result.output : endOf(result));

/** Replays a result's bundle: the same bytes, calls and fuel as recorded. */
async function replayed(result: ExecutionResult): Promise<number | undefined> {
  const report = await replay(rig.pipeline.bundle(result.intentId)?.bytes() ?? new Uint8Array(), rig.trust, sandbox);
  expect([report.result, report.failures]).toEqual(["success", []]);
  const [comparison] = report.executions;
  expect(comparison?.replayed).toEqual(comparison?.recorded);
  return comparison?.recorded.hostCalls;
}

describe("checksum, from C", () => {
  test("reads a real file part by part, and is replayed when the file is gone", async () => {
    const results = [
      await execute("file.checksum", { path: "data/large.bin" }),
      await execute("file.checksum", { path: "data/large.bin", algorithm: "crc32" }),
    ];
    const digest = createHash("sha256").update(content).digest("hex");
    expect(results.map(outputOf)).toEqual([
      { algorithm: "sha256", digest, path: "data/large.bin", size: content.length },
      { algorithm: "crc32", digest: "e1bde749", path: "data/large.bin", size: content.length },
    ]);
    rmSync(join(folder, "large.bin"));
    for (const result of results) expect(await replayed(result)).toBe(3);
    expect(endOf(await execute("file.checksum", { path: "data/large.bin" }))).toBe("failed EXO_GUEST_ERROR");
  });

  test("reaches nothing outside its grant", async () => {
    writeFileSync(join(folder, "other.bin"), content);
    const result = await execute("file.checksum", { path: "data/other.bin" });
    expect(endOf(result)).toBe("failed EXO_CAPABILITY_DENIED");
    expect(await replayed(result)).toBe(1);
  });
});

test("text-diff, from Rust, asks for nothing and is replayed", async () => {
  const result = await execute("text.diff", { before: "a\nb\n", after: "a\nc\n", context: 0 });
  expect(outputOf(result)).toEqual({
    added: 1,
    equal: false,
    hunks: 1,
    minimal: true,
    removed: 1,
    unified: "--- before\n+++ after\n@@ -2 +2 @@\n-b\n+c\n",
  });
  expect(await replayed(result)).toBe(0);
});
