import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { jsonOf, NearShell, type Shell, statsIntent } from "./cli.js";

/** One home, in order: every test goes on from the one before. */
describe("materials drop", () => {
  let shell: Shell;
  let intentId: string;
  const drop = (...args: string[]) => shell.exo(["materials", "drop", ...args]);

  beforeAll(async () => {
    shell = new NearShell();
    await shell.exo(["init"]);
    const ended = await shell.run({ ...statsIntent, idempotencyKey: "once" }, ["--json"]);
    intentId = (jsonOf(ended) as { intentId: string }).intentId;
  });
  afterAll(() => shell.remove());

  it("says what would go, and leaves everything", async () => {
    const ended = await drop(intentId, "--reason", "asked for", "--dry-run");
    expect([ended.code, ended.stderr]).toEqual([0, ""]);
    expect(ended.stdout).toMatch(/^would drop {3}5 materials {3}of 1 intent {3}[\d,]+ bytes\n$/);
    expect((await shell.exo(["log", "check"])).stdout).not.toContain("dropped by order");
  });

  it.each([
    [["--reason", "x"], 2, "EXO_USAGE: name intents, or give --older-than or --before"],
    [["--older-than", "1y", "--reason", "x"], 2, "EXO_USAGE: --older-than expects a span such as 90d"],
    [["--older-than", "1s", "--before", "2026-01-01", "--reason", "x"], 2, "EXO_USAGE: give --older-than or --before"],
    [["--before", "yesterday", "--reason", "x"], 2, "EXO_USAGE: --before expects a day"],
    [["nobody", "--reason", "x"], 2, "EXO_USAGE: nobody is no intent's id"],
    [
      ["--older-than", "1s", "--role", "policy", "--reason", "x"],
      2,
      "EXO_USAGE: --role policy: expected one of intent",
    ],
    [["--older-than", "1s", "--role", "intent", "--reason", "x"], 2, "EXO_USAGE: with --role intent go policy_input"],
    [["01K00000000000000000000000", "--reason", "x"], 1, "EXO_INTENT_UNKNOWN"],
  ])("refuses %j", async (args, code, message) => {
    const ended = await drop(...args);
    expect([ended.code, ended.stdout]).toEqual([code, ""]);
    expect(ended.stderr).toContain(message);
  });

  it("drops it for good; what is left verifies, and the log check counts it", async () => {
    const ended = await drop(intentId, "--reason", "asked for");
    expect([ended.code, ended.stderr]).toEqual([0, ""]);
    expect(ended.stdout).toMatch(/^dropped {10}5 materials {3}of 1 intent/m);
    expect(ended.stdout).toMatch(/^still in files {3}1 bundle file {3}in \.exoarmur\/bundles; --files removes them$/m);
    const checked = await shell.exo(["log", "check"]);
    expect(checked.code).toBe(0);
    expect(checked.stdout).toMatch(/materials present +\d+ materials, 5 of them dropped by order/);
  });

  it("a call with the same key has the same outcome without its output, and its bundle could not be checked whole", async () => {
    const again = await shell.run({ ...statsIntent, idempotencyKey: "once" }, ["--json", "--out", "thin.proof.json"]);
    expect([again.code, again.stderr]).toEqual([0, ""]);
    expect(jsonOf(again)).toMatchObject({ status: "executed", intentId, output: null, outputDropped: true });
    const verified = await shell.exo(["verify", "thin.proof.json", "--trust", ".exoarmur/trust.json"]);
    expect(verified.code).toBe(6);
    expect(verified.stdout).toMatch(/^unable {3}pinned/m);
    expect((await shell.exo(["replay", "thin.proof.json"])).code).toBe(6);
  });

  it("removes the home's files of them when asked to", async () => {
    const ended = await drop(intentId, "--reason", "files too", "--files", "--json");
    expect(jsonOf(ended)).toMatchObject({
      schema: "exoarmur.materials-dropped/v1",
      ...{ dryRun: false, intents: 0, materials: 0, removed: 1, left: 0 },
    });
    expect(shell.list(".exoarmur/bundles")).toEqual([]);
  });
});
