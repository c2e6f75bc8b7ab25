import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { jsonOf, NearShell, removeIntent, type Shell, statsIntent, steady } from "./cli.js";

describe("log prove at the terminal", () => {
  let shell: Shell;
  let intentId = "";
  const trust = ["--trust", ".exoarmur/trust.json"];

  beforeAll(async () => {
    shell = new NearShell();
    await shell.exo(["init"]);
    const run = await shell.run(statsIntent);
    intentId = /bundles\/(01\w{24})/.exec(run.stdout)?.[1] ?? "";
    await shell.run({ ...removeIntent, parameters: { path: "secrets/keys.csv" } });
  });
  afterAll(() => shell.remove());

  it("discloses one host call of a run, and verify checks it pinned and alone", async () => {
    const { code, stdout, stderr } = await shell.exo(["log", "prove", intentId, "--call", "0", "-o", "call.json"]);
    expect(stderr).toBe("");
    expect(steady(stdout)).toMatch(/^call 0 of intent <ID> {3}fs_read {3}ok\ncall\.json {3}[\d,]+ bytes\n$/);
    expect(code).toBe(0);
    const pinned = await shell.exo(["verify", "call.json", ...trust]);
    expect(steady(pinned.stdout)).toMatch(/^pass {3}call is whole {15}call 0 fs_read: ok, local$/m);
    expect(pinned.stdout).toMatch(/^pass {3}pinned {3}7 checks, 7 passed, 1 not applicable$/m);
    expect(pinned.code).toBe(0);
    const alone = await shell.exo(["verify", "call.json"]);
    expect(alone.stdout).toMatch(/^pass {3}self-check only {3}6 checks, 6 passed, 2 not applicable$/m);
    expect(alone.code).toBe(0);
  });

  it("prints the disclosure itself without --out, and what was called with --json", async () => {
    const printed = await shell.exo(["log", "prove", intentId, "--call", "0"]);
    expect(printed.stdout).toBe(shell.read("call.json"));
    const written = await shell.exo(["log", "prove", intentId, "--call", "0", "-o", "call.json", "--json"]);
    expect(jsonOf(written)).toEqual({
      schema: "exoarmur.call-proof/v1",
      intentId,
      seq: 0,
      capability: "fs_read",
      outcome: "ok",
      assurance: "local",
      path: "call.json",
    });
    const report = await shell.exo(["verify", "call.json", "--json", ...trust]);
    expect(jsonOf(report)).toMatchObject({ result: "pass", intentId, call: { seq: 0, capability: "fs_read" } });
  });

  it("a disclosure with one answer changed fails", async () => {
    const text = shell.read("call.json");
    const at = text.indexOf('"call":"') + 200;
    shell.write("broken.json", `${text.slice(0, at)}${text[at] === "A" ? "B" : "A"}${text.slice(at + 1)}`);
    const { code, stdout } = await shell.exo(["verify", "broken.json", ...trust]);
    expect(stdout).toMatch(/^FAIL|^fail/m);
    expect(code).toBe(1);
  });

  it("does not mix a proof and a report on standard output", async () => {
    const ended = await shell.exo(["log", "prove", intentId, "--call", "0", "--json"]);
    expect(ended.code).toBe(2);
    expect(jsonOf(ended)).toMatchObject({ error: { code: "EXO_USAGE" } });
  });

  it("proves one entry of the log in C2SP form", async () => {
    const { code, stdout } = await shell.exo(["log", "prove", "0"]);
    expect(stdout).toMatch(/^c2sp\.org\/tlog-proof@v1\nindex 0\n([A-Za-z0-9+/]{43}=\n)+\nexoarmur\//);
    expect(code).toBe(0);
  });

  it.each<[string, (id: string) => string[], number, string]>([
    ["nothing named", () => [], 2, "missing required argument 'entry'"],
    ["an id that is none", () => ["orders"], 1, "EXO_INTENT_UNKNOWN: no intent has the id"],
    ["an unknown intent's bundle", () => ["01K5ZV8Q000000000000000000"], 1, "EXO_INTENT_UNKNOWN: no intent has the id"],
    [
      "a call that is no number",
      (id) => [id, "--call", "-1"],
      2,
      'EXO_USAGE: --call expects a whole number from 0, got "-1"',
    ],
    ["a call with leading zeros", (id) => [id, "--call", "00"], 2, "EXO_USAGE: --call expects a whole number"],
    ["a call that was not made", (id) => [id, "--call", "99999"], 1, "EXO_LOG_RANGE: intent "],
    [
      "an unknown intent",
      () => ["01K5ZV8Q000000000000000000", "--call", "0"],
      1,
      "EXO_INTENT_UNKNOWN: no intent has the id",
    ],
    ["an entry beyond the log", () => ["99999"], 1, "EXO_LOG_RANGE"],
    ["a folder to write to", (id) => [id, "--call", "0", "-o", "data"], 1, "EXO_FILE: data is no plain file"],
  ])("refuses %s", async (_name, args, exit, message) => {
    const { code, stdout, stderr } = await shell.exo(["log", "prove", ...args(intentId)]);
    expect(stderr).toContain(message);
    expect([code, stdout]).toEqual([exit, ""]);
  });
});
