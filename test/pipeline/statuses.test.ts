import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createFsPerformers } from "../../src/capabilities/performers/fs/files.js";
import { createClockPerformer, createLogPerformer } from "../../src/capabilities/performers/local.js";
import type { ManifestDraft } from "../../src/contracts/manifest.js";
import { realPool } from "../support/real.js";
import { checkStore, draft, endOf, openRig, pluginAt, type Rig, requestOf } from "../support/rig.js";
import { grant } from "../support/sign.js";
import { keys, testClock } from "../support/world.js";

const pool = realPool();
const base = realpathSync(mkdtempSync(join(tmpdir(), "exo-statuses-")));
afterAll(() => rmSync(base, { recursive: true, force: true }));

const limited =
  (limits: ManifestDraft["limits"]) =>
  (manifest: ManifestDraft): ManifestDraft => ({ ...manifest, limits });
const fuel = 5_000_000;

const plugins = [
  pluginAt("plugins/fs"),
  pluginAt("test/fixtures/echo"),
  pluginAt("test/fixtures/loop", limited({ fuel })),
  pluginAt("test/fixtures/start-loop", limited({ fuel })),
  pluginAt("test/fixtures/memory-bomb", limited({ memoryPages: 16 })),
  pluginAt("test/fixtures/recurse"),
  pluginAt("test/fixtures/trap"),
  pluginAt("test/fixtures/big-output", limited({ outputBytes: 1000 })),
  pluginAt("test/fixtures/guest-error"),
  pluginAt("test/fixtures/many-calls", limited({ hostCalls: 5 })),
  pluginAt("test/fixtures/clock"),
];

let rig: Rig;

beforeAll(async () => {
  mkdirSync(join(base, "data"));
  writeFileSync(join(base, "data", "orders.csv"), "a,b\n1,2\n");
  rig = await openRig({
    sandbox: pool,
    clock: testClock(),
    plugins,
    rules: [
      {
        id: "ask",
        match: { action: "fs.remove" },
        verdict: "require_approval",
        obligations: { narrow: { fs_remove: { paths: ["{target}"] } } },
      },
      { id: "all", match: {}, verdict: "allow" },
    ],
    grants: { fs: { fs_write: { roots: ["data"] }, fs_remove: { roots: ["data"] } }, clock: { clock_now: {} } },
    performers: {
      ...createFsPerformers({ data: { path: join(base, "data"), access: "write" } }),
      ...createClockPerformer(testClock()),
      ...createLogPerformer({ log: () => undefined }),
    },
  });
});

const rows: readonly [action: string, parameters: object, status: string, code: string][] = [
  ["test.loop", {}, "out_of_fuel", "EXO_OUT_OF_FUEL"],
  ["test.start-loop", {}, "out_of_fuel", "EXO_OUT_OF_FUEL"],
  ["test.memory-bomb", {}, "out_of_memory", "EXO_OUT_OF_MEMORY"],
  ["test.recurse", {}, "stack_overflow", "EXO_STACK_OVERFLOW"],
  ["test.trap", {}, "trapped", "EXO_TRAPPED"],
  ["test.trap-divide", {}, "trapped", "EXO_TRAPPED"],
  ["test.trap-bounds", {}, "trapped", "EXO_TRAPPED"],
  ["test.big-output", { size: 2000 }, "output_limit", "EXO_OUTPUT_LIMIT"],
  ["test.guest-error", {}, "guest_error", "EXO_GUEST_ERROR"],
  ["test.many-calls", { calls: 100 }, "host_call_limit", "EXO_HOST_CALL_LIMIT"],
  ["fs.read", { path: "data/orders.csv" }, "capability_denied", "EXO_CAPABILITY_DENIED"],
];

describe("real guests that go wrong", () => {
  test.each(rows)(
    "%s %j: %s, twice with the same fuel, and the host lives on",
    async (action, parameters, status, code) => {
      const runs = [];
      for (let turn = 0; turn < 2; turn++) {
        const failed = await rig.pipeline.execute({ actor: "a", action, parameters } as never);
        expect(endOf(failed)).toBe(`failed ${code}`);
        if (failed.status !== "failed") throw new Error("unreachable");
        expect(failed.execution.status).toBe(status);
        expect(failed.execution.error?.code).toBe(code);
        expect(failed.execution.outputDigest).toBeUndefined();
        expect(failed.reason.retrySafe).toBe(true);
        runs.push({
          fuel: failed.execution.fuel,
          pages: failed.execution.memoryPeakPages,
          calls: failed.execution.transcript.size,
        });
      }
      expect(runs[0]).toEqual(runs[1]);
      expect(runs[0]?.fuel.used).toBeLessThanOrEqual(runs[0]?.fuel.limit ?? 0);
      const echo = await rig.pipeline.execute({ actor: "a", action: "test.echo", parameters: { after: status } });
      expect(echo.status === "executed" && echo.output).toEqual({ after: status });
    },
  );

  test("the wall-clock guard ends what fuel does not, and the host lives on", async () => {
    await rig.add(pluginAt("test/fixtures/loop", limited({ fuel: Number.MAX_SAFE_INTEGER, timeoutMs: 150 })));
    const failed = await rig.pipeline.execute({ actor: "a", action: "test.loop", parameters: {} });
    expect(endOf(failed)).toBe("failed EXO_TIMED_OUT");
    expect(failed.status === "failed" && failed.execution.status).toBe("timed_out");
    expect(endOf(await rig.pipeline.execute({ actor: "a", action: "test.echo", parameters: {} }))).toBe("executed");
  });

  test("at once they do not disturb each other", async () => {
    const mixed = ["test.trap", "test.echo", "test.recurse", "test.echo", "test.memory-bomb", "test.echo"];
    const ends = await Promise.all(
      mixed.map((action, turn) => rig.pipeline.execute({ actor: "a", action, parameters: { turn } })),
    );
    expect(ends.map(endOf)).toEqual([
      "failed EXO_TRAPPED",
      "executed",
      "failed EXO_STACK_OVERFLOW",
      "executed",
      "failed EXO_OUT_OF_MEMORY",
      "executed",
    ]);
    expect(ends.flatMap((end) => (end.status === "executed" ? [end.output] : []))).toEqual([
      { turn: 1 },
      { turn: 3 },
      { turn: 5 },
    ]);
  });

  test("every record verifies", () => {
    expect(checkStore(rig).length).toBeGreaterThan(20);
  });
});

describe("a module that asks for more than its manifest", () => {
  test("is refused with the import's name; intents that name it are told so", async () => {
    await rig.add(pluginAt("test/fixtures/clock", (manifest) => ({ ...manifest, name: "sneaky", capabilities: [] })));
    const [name, refusal] = rig.pipeline.executors.listRefused()[0] ?? [];
    expect([name, refusal?.code]).toEqual(["sneaky", "EXO_WASM_IMPORT"]);
    expect(refusal?.message).toContain("clock_now");
    const denied = await rig.pipeline.execute({ actor: "a", action: "test.clock", executor: "sneaky", parameters: {} });
    expect(endOf(denied)).toBe("denied EXO_PLUGIN_REFUSED");
    const granted = await rig.pipeline.execute({ actor: "a", action: "test.clock", parameters: {} });
    expect(endOf(granted)).toBe("executed");
  });

  test.each([
    [
      "a function it does not export",
      (manifest: ManifestDraft) => ({ ...manifest, functions: [{ name: "other", action: "test.other" }] }),
      "EXO_WASM_EXPORT",
    ],
    [
      "another module's digest",
      (manifest: ManifestDraft) => ({ ...manifest, wasm: { digest: `sha256:${"0".repeat(64)}` as const } }),
      "EXO_PLUGIN_DIGEST",
    ],
  ])("a manifest with %s is refused: %s", async (_name, change, code) => {
    const { admitExecutor } = await import("../../src/pipeline/registry.js");
    const { resolveManifest } = await import("../../src/contracts/manifest-draft.js");
    const good = pluginAt("test/fixtures/echo");
    const resolved = resolveManifest(good.manifest, good.wasm);
    if (!resolved.ok) throw new Error(resolved.error.message);
    const manifest = { ...resolved.value, ...change(good.manifest) };
    const functions = manifest.functions.map((fn) => ({ ...resolved.value.functions[0], ...fn }));
    const admitted = await admitExecutor(
      { ...manifest, functions, limits: resolved.value.limits, capabilities: [] } as never,
      good.wasm,
    );
    expect(admitted).toMatchObject({ ok: false, error: { code } });
  });
});

describe("real files", () => {
  test("an approved removal removes that file, once", async () => {
    const file = join(base, "data", "orders.csv");
    const request = requestOf(await rig.pipeline.execute(draft("fs.remove", "data/orders.csv")));
    expect(readFileSync(file, "utf8")).toBe("a,b\n1,2\n");
    const done = await rig.pipeline.decide(await grant(request, "alice", keys.alice));
    expect(done.status === "executed" && done.output).toEqual({ path: "data/orders.csv", removed: true });
    expect(() => readFileSync(file)).toThrow(/ENOENT/);
    checkStore(rig);
  });
});
