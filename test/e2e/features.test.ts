import { describe, expect, it } from "vitest";
import type { Features } from "../../src/contracts/features.js";
import type { PolicyDocument } from "../../src/contracts/policy.js";
import { encodeHex } from "../../src/crypto/encoding.js";
import { pluginAt } from "../support/rig.js";
import { keys, seededEntropy, seededIds, testClock, trusted } from "../support/world.js";
import { errorOf, jsonOf, NearShell, statsIntent } from "./cli.js";
import { built, builtMemory } from "./support/built.js";

const federation = "EXOARMUR_FLAG_V2_FEDERATION_ENABLED";
const control = "EXOARMUR_FLAG_V2_CONTROL_PLANE_ENABLED";
const approval = "EXOARMUR_FLAG_V2_OPERATOR_APPROVAL_REQUIRED";
const allOn = { [federation]: "1", [control]: "1", [approval]: "1" };

const policy: PolicyDocument = {
  schema: "exoarmur.policy/v1",
  policyId: "all",
  version: 1,
  rules: [{ id: "all", match: { action: "*" }, verdict: "allow" }],
};

/** Opens a runtime whose every port and key is the same each time. */
async function open(env: Record<string, string>, features?: Features) {
  const clock = testClock();
  const store = builtMemory.createMemoryStore();
  const runtime = await built.createRuntime({
    store,
    policy,
    plugins: [pluginAt("test/fixtures/echo"), pluginAt("plugins/fs")],
    trust: { keys: [trusted("approver", "alice", keys.alice)] },
    keys: { runtime: keys.runtime, log: keys.log, policyAuthor: keys.author, saltKey: new Uint8Array(32) },
    sandbox: { workers: 1 },
    ...(features === undefined ? {} : { features }),
    clock,
    entropy: seededEntropy("features"),
    ids: seededIds(clock, "features"),
    env,
  });
  return { runtime, store };
}

/** The same script under some flags: how it ended, and every byte of the store, bundles and log among them. */
async function play(env: Record<string, string>, features?: Features): Promise<{ ends: string[]; bytes: string }> {
  const { runtime, store } = await open(env, features);
  try {
    const actor = runtime.as("agent");
    const ends = [
      await actor.call("test.echo", { a: [1, "é"] }),
      await actor.call("fs.write", { path: "data/a.txt", text: "x" }),
      await actor.call("no.such", {}),
    ].map(({ status }) => status);
    const stored = [...store.range({ gte: "", lt: "~" })].map(([key, value]) => `${key} ${encodeHex(value)}`);
    return { ends, bytes: stored.join("\n") };
  } finally {
    await runtime.close();
  }
}

describe("feature flags at the runtime", () => {
  it("change not one byte while operator approval is not required", async () => {
    const plain = await play({});
    // The write reaches no root, so its run fails; what counts is that it was started without asking.
    expect(plain.ends).toEqual(["executed", "failed", "denied"]);
    expect(plain.bytes.length).toBeGreaterThan(10_000);
    const offs: [Record<string, string>, Features?][] = [
      [{ [federation]: "off", [control]: "0", [approval]: "false" }],
      [{}, { v2_federation_enabled: false, v2_control_plane_enabled: false, v2_operator_approval_required: false }],
      [{ [federation]: "on", [control]: "on" }],
      [
        { [approval]: "no" },
        { v2_federation_enabled: true, v2_control_plane_enabled: true, v2_operator_approval_required: true },
      ],
    ];
    for (const [env, features] of offs) expect(await play(env, features)).toEqual(plain);
  });

  it("make a write wait for a person when operator approval is required, and nothing else", async () => {
    const plain = await play({});
    const asked = await play(allOn);
    expect(asked.ends).toEqual(["executed", "approval_pending", "denied"]);
    expect(asked.bytes).not.toBe(plain.bytes);
    const features = {
      v2_federation_enabled: true,
      v2_control_plane_enabled: true,
      v2_operator_approval_required: true,
    };
    expect(await play({}, features)).toEqual(asked);
  });

  it("refuse to open under flags that do not go together", async () => {
    await expect(open({ [approval]: "1", [federation]: "1" })).rejects.toMatchObject({
      code: "EXO_FLAG",
      message: `${approval} is on and needs ${control}, which is off`,
    });
    await expect(open({ [federation]: "maybe" })).rejects.toMatchObject({ code: "EXO_FLAG" });
    const misspelt = { v2_federation: true } as unknown as Features;
    await expect(open({}, misspelt)).rejects.toMatchObject({ code: "EXO_SCHEMA" });
  });
});

describe("feature flags at the command line", () => {
  it("are shown by doctor, refused by run, and read from config.json", async () => {
    const shell = new NearShell();
    try {
      await shell.exo(["init"]);
      const flagLines = ({ stdout }: { stdout: string }): string[] =>
        stdout.split("\n").filter((line) => line.includes("  flag "));
      const env = { [approval]: "1", EXOARMUR_FLAG_V3: "1" };
      const wrong = await shell.exo(["doctor"], { env });
      expect(wrong.code).toBe(1);
      expect(flagLines(wrong)).toEqual([
        expect.stringMatching(
          /^ok +flag v2_federation_enabled +EXOARMUR_FLAG_V2_FEDERATION_ENABLED is off \(default\)$/,
        ),
        expect.stringMatching(/^ok +flag v2_control_plane_enabled +EXOARMUR_\S+ is off \(default\)$/),
        expect.stringMatching(/^fail +flag v2_operator_approval_required +EXO_FLAG: /),
        expect.stringMatching(
          /^fail +flag v3 +EXO_FLAG: "EXOARMUR_FLAG_V3" is no flag; there are EXOARMUR_FLAG_V2_FED/,
        ),
      ]);
      expect(wrong.stdout).toContain(`EXO_FLAG: ${approval} is on and needs ${control}, which is off`);
      const refused = await shell.run(statsIntent, ["--json"], { env });
      expect([refused.code, errorOf(refused)]).toEqual([1, "EXO_FLAG"]);
      expect(jsonOf(refused)).toMatchObject({
        error: { message: `${approval} is on and needs ${control}, which is off` },
      });
      shell.edit(".exoarmur/config.json", (config) => ({ ...config, features: { v2_federation_enabled: true } }));
      const both = await shell.exo(["doctor"], { env: { [control]: "yes" } });
      expect(flagLines(both).map((line) => line.slice(line.lastIndexOf(" is ")))).toEqual([
        " is on (config)",
        " is on (environment)",
        " is off (default)",
      ]);
      shell.edit(".exoarmur/config.json", (config) => ({ ...config, features: { v2_federaton_enabled: true } }));
      const misspelt = await shell.run(statsIntent, ["--json"]);
      expect([misspelt.code, errorOf(misspelt)]).toEqual([1, "EXO_SCHEMA"]);
    } finally {
      shell.remove();
    }
  });
});
