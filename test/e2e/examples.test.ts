import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ending, ROOT } from "./cli.js";

describe("the examples", () => {
  it("are the ones that a test runs: quickstart.mjs with README.md, signer.mjs in cli-signers.test.ts, policy in cli-what-if.test.ts, policy-cedar in cli-cedar.test.ts, the rest here", () => {
    expect(readdirSync(join(ROOT, "examples")).sort()).toEqual([
      "policy",
      "policy-cedar",
      "quickstart-replay.mjs",
      "quickstart.mjs",
      "signer.mjs",
    ]);
    const readme = readFileSync(join(ROOT, "scripts", "readme.mjs"), "utf8");
    expect(readme).toContain('join(root, "examples", "quickstart.mjs")');
    expect(readFileSync(join(ROOT, "scripts", "test.mjs"), "utf8")).toContain('"scripts/readme.mjs"');
  });

  it("quickstart-replay.mjs prints its two lines and nothing else", async () => {
    const child = spawn(process.execPath, [join(ROOT, "examples", "quickstart-replay.mjs")]);
    expect(await ending(child)).toEqual({ code: 0, stdout: "Replay result: success\nFailures: none\n", stderr: "" });
  });
});
