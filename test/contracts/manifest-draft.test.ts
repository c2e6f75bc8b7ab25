import { describe, expect, it } from "vitest";
import { defaultLimits, type ManifestDraft } from "../../src/contracts/manifest.js";
import { resolveManifest } from "../../src/contracts/manifest-draft.js";

const wasm = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
const digest = "sha256:93a44bbb96c751218e4c00d479e4c14358122a389acca16205b1e4d0dc5f9476";
const draft: ManifestDraft = {
  schema: "exoarmur.executor/v1",
  name: "echo",
  version: "1.0.0",
  functions: [{ name: "run", action: "echo.run" }],
};

describe("resolveManifest", () => {
  it("fills in every default and drops $schema", () => {
    expect(resolveManifest({ $schema: "x", ...draft }, wasm)).toEqual({
      ok: true,
      value: {
        schema: "exoarmur.executor/v1",
        name: "echo",
        version: "1.0.0",
        wasm: { digest },
        functions: [{ name: "run", action: "echo.run", input: "parameters", output: "json", effects: "none" }],
        capabilities: [],
        limits: {
          fuel: 1_000_000_000,
          memoryPages: 256,
          tableElements: 10_000,
          stackBytes: 262_144,
          outputBytes: 4_194_304,
          kernelBytes: 33_554_432,
          hostCalls: 1000,
          timeoutMs: 60_000,
        },
      },
    });
  });

  it("keeps what the draft states", () => {
    const fn = {
      name: "r",
      action: "a.b",
      input: "bytes",
      output: "text",
      effects: "write",
      target: "/p",
      effectKey: ["/p"],
    } as const;
    const whole = {
      ...draft,
      wasm: { digest },
      functions: [{ ...fn, effectKey: ["/p"] }],
      capabilities: [{ name: "fs_read" as const }],
      limits: { fuel: 5 },
      publisher: "me",
    } as ManifestDraft;
    const resolved = resolveManifest(whole, wasm);
    expect(resolved).toMatchObject({
      ok: true,
      value: { functions: [fn], publisher: "me", capabilities: [{ name: "fs_read" }] },
    });
    expect(resolved.ok && resolved.value.limits).toEqual({ ...defaultLimits, fuel: 5 });
  });

  it("refuses a stated digest of another module", () => {
    const other = `sha256:${"0".repeat(64)}` as const;
    expect(resolveManifest({ ...draft, wasm: { digest: other } }, wasm)).toEqual({
      ok: false,
      error: { code: "EXO_PLUGIN_DIGEST", message: `echo: expected a module with ${other}, got ${digest}` },
    });
  });

  it.each(["read", "write"] as const)("refuses effects %s without a target", (effects) => {
    const resolved = resolveManifest({ ...draft, functions: [{ name: "run", action: "echo.run", effects }] }, wasm);
    expect(resolved).toEqual({
      ok: false,
      error: {
        code: "EXO_SCHEMA",
        message: "echo: /functions/0/target: a function whose effects are read or write must name its target",
      },
    });
  });

  it("refuses limits beyond what a manifest may state", () => {
    expect(resolveManifest({ ...draft, limits: { memoryPages: 20_000 } }, wasm)).toMatchObject({
      ok: false,
      error: { code: "EXO_SCHEMA" },
    });
  });
});
