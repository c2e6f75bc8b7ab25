import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Ended, ending, ROOT } from "./cli.js";

const run = async (name: string, ...args: readonly string[]): Promise<Ended> =>
  await ending(spawn(process.execPath, [join(ROOT, "examples", name), ...args], { stdio: ["ignore", "pipe", "pipe"] }));

describe("the examples", () => {
  it("are the ones that a test runs: quickstart.mjs with README.md, signer.mjs in cli-signers.test.ts, policy in cli-what-if.test.ts, policy-cedar in cli-cedar.test.ts, the rest here", () => {
    expect(readdirSync(join(ROOT, "examples")).sort()).toEqual([
      "policy",
      "policy-cedar",
      "quickstart-replay.mjs",
      "quickstart.mjs",
      "replay.mjs",
      "signer.mjs",
      "verifier.mjs",
      "what-if.mjs",
    ]);
    const readme = readFileSync(join(ROOT, "scripts", "readme.mjs"), "utf8");
    expect(readme).toContain('join(root, "examples", "quickstart.mjs")');
    expect(readFileSync(join(ROOT, "scripts", "test.mjs"), "utf8")).toContain('"scripts/readme.mjs"');
  });

  it("quickstart-replay.mjs prints its two lines and nothing else", async () => {
    expect(await run("quickstart-replay.mjs")).toEqual({
      code: 0,
      stdout: "Replay result: success\nFailures: none\n",
      stderr: "",
    });
  });

  it("replay.mjs runs an action again with its file gone, and is not taken in by a changed answer", async () => {
    expect(await run("replay.mjs")).toEqual({
      code: 0,
      stdout: [
        "executed: 3 rows, 150846 fuel, 1 host call",
        "replay: success, 150846 fuel recorded, 150846 here, the file being gone",
        "tampered: failure, payload_hash_mismatch at materials",
        "",
      ].join("\n"),
      stderr: "",
    });
  });

  it("what-if.mjs shows what another policy would have said, and that it allows more", async () => {
    expect(await run("what-if.mjs")).toEqual({
      code: 0,
      stdout: [
        "data/orders.csv: executed",
        "data/salaries.csv: executed",
        "archive/2019.csv: denied",
        "secrets/keys.csv: denied",
        "backtest: 4 decisions, 2 the same, 2 would differ",
        "  data/salaries.csv: allow->require_approval by salaries",
        "  archive/2019.csv: deny->allow by archive",
        "diff: widens",
        "  new_target: table.stats archive",
        "",
      ].join("\n"),
      stderr: "",
    });
  });

  describe("verifier.mjs", () => {
    const kit = join(ROOT, "spec", "vectors", "conformance");
    const { vectors } = JSON.parse(readFileSync(join(kit, "manifest.json"), "utf8")) as {
      vectors: readonly { file: string; trust: string; about: string; codes: readonly string[] }[];
    };
    const judged = async (about: string): Promise<Ended & { codes: readonly string[] }> => {
      const vector = vectors.find((one) => one.about === about);
      if (vector === undefined) throw new Error(`the kit has no ${about}`);
      return { ...(await run("verifier.mjs", join(kit, vector.file), join(kit, vector.trust))), codes: vector.codes };
    };

    it("accepts an honest bundle and says what a pass does not prove", async () => {
      const { code, stdout, stderr } = await judged("an action that ended as executed");
      expect([code, stderr]).toEqual([0, ""]);
      expect(stdout).toMatch(/^pass: \d+ checks passed, 0 failed, 0 could not be made\nA pass does not prove that /);
    });

    it.each([
      ["a forged signature", "signature: executed, a bit of the signature", 1, "fail"],
      ["a material left out", "materials: executed, its first input left out of the file", 6, "unable"],
      ["no bundle at all", "format: an empty file", 1, "fail"],
    ])("%s: its exit code, its code and its sentence", async (_name, about, code, word) => {
      const ended = await judged(about);
      expect([ended.code, ended.stderr]).toEqual([code, ""]);
      expect(ended.stdout).toContain(`\n${word}: `);
      for (const one of ended.codes) expect(ended.stdout).toContain(one);
      expect(ended.stdout).not.toMatch(/^pass: /m);
    });

    it("verifies nothing without a trust file", async () => {
      const { code, stdout, stderr } = await run("verifier.mjs", join(kit, vectors[0]?.file ?? ""));
      expect([code, stdout]).toEqual([1, ""]);
      expect(stderr).toContain("usage: verifier.mjs BUNDLE TRUST");
    });
  });
});
