import { randomBytes } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import {
  createClockPerformer,
  createLogPerformer,
  createRandomPerformer,
} from "../../src/capabilities/performers/local.js";
import type { ManifestDraft } from "../../src/contracts/manifest.js";
import { encodeUtf8 } from "../../src/crypto/encoding.js";
import type { ExecutionResult, PipelinePorts } from "../../src/pipeline/types.js";
import type { AbiValue, Performer } from "../../src/ports.js";
import { realPool } from "../support/real.js";
import { draft, endOf, eventTypes, openRig, type Plugin, type Rig, repositoryFile } from "../support/rig.js";
import { replay } from "./support.js";

// Guests of C and Rust toolchains through the whole pipeline, with a clock and randomness that never repeat, and back.

function guest(name: string, change: Partial<ManifestDraft>): Plugin {
  const manifest: ManifestDraft = { schema: "exoarmur.executor/v1", name, version: "1.0.0", functions: [], ...change };
  return { manifest, wasm: repositoryFile(`test/dropin/${name}.wasm`) };
}

const stamp = (name: string): Plugin =>
  guest(name, {
    functions: [{ name: "stamp", action: `${name}.stamp`, effects: "none", output: "text" }],
    capabilities: [{ name: "clock_now" }, { name: "random_bytes" }],
  });

const fetchers = (name: string): Plugin =>
  guest(name, {
    functions: [
      { name: "fetch", action: `${name}.fetch`, effects: "write", target: "/url", input: "parameters", output: "text" },
    ],
    capabilities: [{ name: "http_request" }],
  });

const place = {
  scheme: "https" as const,
  host: "a.example",
  port: 443,
  methods: ["POST" as const],
  pathPrefix: "/hooks",
};

let clock = 1_769_850_000_000;
const lines: string[] = [];
const requests: AbiValue[] = [];
const http_request: Performer = {
  perform: (request) => {
    requests.push(request);
    const body = encodeUtf8(`answer ${requests.length}`);
    return { outcome: "ok", value: { status: 202, headers: { "x-n": String(requests.length) }, body } };
  },
};
const local: PipelinePorts["performers"] = {
  ...createClockPerformer({ now: () => (clock += 7) }),
  ...createRandomPerformer({ bytes: (length) => new Uint8Array(randomBytes(length)) }),
  ...createLogPerformer({ log: (level, _message, fields) => lines.push(`${level} ${String(fields?.["message"])}`) }),
};

const sandbox = realPool({ size: 1 });
const open = (performers: PipelinePorts["performers"]): Promise<Rig> =>
  openRig({
    sandbox,
    performers,
    plugins: [stamp("wasi-c"), stamp("wasi-rust"), fetchers("kernel-c"), fetchers("legacy-c")],
    rules: [
      { id: "any", match: { action: ["wasi-c.*", "wasi-rust.*", "kernel-c.*", "legacy-c.*"] }, verdict: "allow" },
    ],
    grants: {
      "wasi-c": { clock_now: {}, random_bytes: {} },
      "wasi-rust": { clock_now: {}, random_bytes: {} },
      "kernel-c": { http_request: { allow: [place] } },
      "legacy-c": { http_request: { allow: [place] } },
    },
  });

let rig: Rig;
beforeAll(async () => {
  rig = await open({ ...local, http_request });
});

const bundleOf = (result: ExecutionResult): Uint8Array =>
  rig.pipeline.bundle(result.intentId)?.bytes() ?? new Uint8Array(0);
const outputOf = (result: ExecutionResult): unknown => (result.status === "executed" ? result.output : endOf(result));

describe("a WASI guest", () => {
  it.each(["wasi-c", "wasi-rust"])("%s is replayed to the same bytes", async (name) => {
    const results = [];
    for (let round = 0; round < 3; round++) {
      const result = await rig.pipeline.execute(draft(`${name}.stamp`, "x", { correlationId: `${name}-${round}` }));
      expect(endOf(result)).toBe("executed");
      results.push(result);
    }
    // Three runs saw three times and three different random values.
    expect(new Set(results.map(outputOf)).size).toBe(3);
    const done = lines.length;
    for (const result of results) {
      const report = await replay(bundleOf(result), rig.trust, sandbox);
      expect(report.failures).toEqual([]);
      expect(report.result).toBe("success");
      const [comparison] = report.executions;
      expect(comparison?.replayed).toEqual(comparison?.recorded);
      expect(comparison?.recorded).toMatchObject({ status: "completed" });
      expect(comparison?.recorded.hostCalls).toBeGreaterThanOrEqual(4);
    }
    // A replay asks nobody: no line was written again.
    expect(lines.length).toBe(done);
    expect(lines.some((line) => line.startsWith(name === "wasi-c" ? "info stamped 1769850" : "warn waited "))).toBe(
      true,
    );
  });

  it("is not admitted without the clock in its manifest", async () => {
    const { manifest, wasm } = stamp("wasi-c");
    const plugin = { manifest: { ...manifest, capabilities: [{ name: "random_bytes" as const }] }, wasm };
    const refused = [...(await openRig({ sandbox, plugins: [plugin] })).pipeline.executors.listRefused()];
    expect(refused.map(([name]) => name)).toEqual(["wasi-c"]);
    expect(JSON.stringify(refused)).toContain("clock_time_get");
    expect(JSON.stringify(refused)).toContain("needs the capability clock_now");
  });
});

describe("http_request", () => {
  const execute = (rigged: Rig, name: string, url: string, correlationId: string): Promise<ExecutionResult> =>
    // The parameters are the guest's request document: url and method, and nothing else.
    rigged.pipeline.execute({
      actor: { id: "report-agent", type: "agent" },
      action: `${name}.fetch`,
      parameters: { method: "POST", url },
      correlationId,
    } as never);

  it.each(["kernel-c", "legacy-c"])("by %s is performed once, journaled, and replayed", async (name) => {
    const before = requests.length;
    const result = await execute(rig, name, "https://a.example/hooks/1", `${name}-http`);
    expect(outputOf(result)).toBe(`0 0 202 {"x-n":"${before + 1}"} again gone answer ${before + 1}`);
    expect(requests.slice(before)).toEqual([
      { method: "POST", url: "https://a.example/hooks/1", headers: {}, body: new Uint8Array(0) },
    ]);
    expect(eventTypes(rig, result.intentId)).toContain("effect_started");
    const report = await replay(bundleOf(result), rig.trust, sandbox);
    expect(report.failures).toEqual([]);
    expect(report.result).toBe("success");
    expect(requests.length).toBe(before + 1);
  });

  it("outside its places ends as denied, and reaches nobody", async () => {
    const before = requests.length;
    const result = await execute(rig, "kernel-c", "https://b.example/hooks/1", "denied");
    expect(endOf(result)).toBe("failed EXO_CAPABILITY_DENIED");
    expect(requests.length).toBe(before);
    expect((await replay(bundleOf(result), rig.trust, sandbox)).result).toBe("success");
  });

  it("on a host without a performer fails with a code of its own", async () => {
    const bare = await open(local);
    const result = await execute(bare, "kernel-c", "https://a.example/hooks/1", "bare");
    expect(endOf(result)).toBe("failed EXO_CAPABILITY_UNAVAILABLE");
  });
});
