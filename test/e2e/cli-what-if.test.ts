import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { backtestSchema } from "../../src/contracts/backtest.js";
import { shadowReportSchema } from "../../src/contracts/shadow.js";
import { type Ended, errorOf, jsonOf, NearShell, ROOT, removeIntent, type Shell, statsIntent } from "./cli.js";

const cases = `${ROOT}/examples/policy`;

const candidate = (rules: readonly object[]): string =>
  JSON.stringify({ schema: "exoarmur.policy/v1", policyId: "files", version: 2, rules });

describe("what if", () => {
  let shell: Shell;
  let statsId: string;
  beforeAll(async () => {
    shell = new NearShell();
    await shell.exo(["init"]);
    statsId = jsonOf(await shell.run(statsIntent, ["--json"]))["intentId"] as string;
    await shell.run(removeIntent);
    await shell.run({ actor: "me", action: "no.such", parameters: {} });
    shell.write(
      "strict.yaml",
      "schema: exoarmur.policy/v1\npolicyId: files\nversion: 2\nrules:\n  - id: nobody\n    match: { action: table.stats }\n    verdict: deny\n",
    );
    shell.write("open.json", candidate([{ id: "all", match: {}, verdict: "allow" }]));
    shell.write(
      "pattern.json",
      candidate([
        { id: "p", match: { action: "a.b", parameters: { "/n": { matches: "^[a-f]{8}$" } } }, verdict: "allow" },
      ]),
    );
    shell.write(
      "pattern2.json",
      candidate([
        { id: "p", match: { action: "a.b", parameters: { "/n": { matches: "^[a-g]{8}$" } } }, verdict: "allow" },
      ]),
    );
  });
  afterAll(() => shell.remove());

  const lines = ({ stdout }: Ended): string[] => stdout.split("\n");

  it("explains a recorded intent by the policy it was decided under", async () => {
    const ended = await shell.exo(["policy", "explain", statsId]);
    expect(ended.code).toBe(0);
    expect(lines(ended)[0]).toBe("verdict    allow by allow-stats   rule allow-stats matched");
    expect(ended.stdout).toContain("decides   allow-stats   allow   yes   /action yes, /target yes\n");
    const other = jsonOf(await shell.exo(["policy", "explain", statsId, "--policy", "strict.yaml", "--json"]));
    expect(other).toMatchObject({
      schema: "exoarmur.policy-explanation/v1",
      intentId: statsId,
      decisions: [{ outcome: { verdict: "deny", ruleIds: ["nobody"] }, rules: [{ ruleId: "nobody", decides: true }] }],
    });
  });

  it("explains a draft by the home's policy, on the target its executor would act on", async () => {
    const ended = await shell.exo(["policy", "explain", "-"], { input: JSON.stringify(removeIntent) });
    expect([ended.code, lines(ended)[0]]).toEqual([
      0,
      "verdict    require_approval by delete-needs-a-person   deleting cannot be undone",
    ]);
    const unknown = await shell.exo(["policy", "explain", "-"], {
      input: JSON.stringify({ actor: "me", action: "no.such", parameters: {} }),
    });
    expect(unknown.stdout).toContain("decides   default   deny   yes   no rule matched\n");
    expect(unknown.stdout).toContain("note       no executor claims no.such: denied before policy\n");
  });

  it("refuses to explain what was never recorded", async () => {
    const ended = await shell.exo(["policy", "explain", "01KA4X6F7J2Z8Q0V5N3T9RBCDE", "--json"]);
    expect([ended.code, errorOf(ended)]).toEqual([1, "EXO_INTENT_UNKNOWN"]);
  });

  it("backtests a candidate: every flip with its rules, and 1 only when asked to fail", async () => {
    const ended = await shell.exo(["backtest", "--policy", "strict.yaml"]);
    expect([ended.code, ended.stderr]).toEqual([0, ""]);
    expect(ended.stdout).toMatch(
      /^allow->deny {14}\S+ {3}\S+ {3}table\.stats {3}allow-stats -> nobody {13,}data\/orders\.csv\n/,
    );
    expect(ended.stdout).toContain("delete-needs-a-person -> default");
    expect(ended.stdout).toMatch(
      /records {5}3 intents {3}1 not judged by policy\nflips {3}2 decisions {3}0 the same, 2 would differ\n$/,
    );
    const failing = await shell.exo(["backtest", "--policy", "strict.yaml", "--fail-on-flip", "--json"]);
    expect(failing.code).toBe(1);
    expect(backtestSchema.parse(jsonOf(failing)).counts.classes).toEqual({
      "allow->deny": 1,
      "require_approval->deny": 1,
    });
    const same = await shell.exo(["backtest", "--policy", ".exoarmur/policy.json", "--fail-on-flip"]);
    expect([same.code, lines(same).at(-2)]).toEqual([0, "same   2 decisions   2 the same"]);
  });

  it.each([
    [["backtest"], 2, "EXO_USAGE"],
    [["backtest", "--policy", "strict.yaml", "--since", "yesterday"], 2, "EXO_USAGE"],
    [["backtest", "--policy", "strict.yaml", "--plugin", "x.wasm"], 2, "EXO_USAGE"],
    [["backtest", "--plugin", "x.bin"], 2, "EXO_USAGE"],
    [["backtest", "--policy", "none.json"], 1, "EXO_FILE"],
    [["policy", "diff", "strict.yaml", "none.json"], 1, "EXO_FILE"],
    [["policy", "test", "data"], 1, "EXO_FILE"],
    [["policy", "test", cases], 1, "EXO_HOME_DAMAGED"],
  ])("refuses %j", async (args, code, error) => {
    const ended = await shell.exo([...args, "--json"]);
    expect([ended.code, errorOf(ended)]).toEqual([code, error]);
  });

  it("asks a candidate beside the home's policy, and prints where it would have decided otherwise", async () => {
    const own = new NearShell(shell);
    try {
      own.edit(".exoarmur/config.json", (config) => ({ ...config, shadow: { policy: "strict.yaml" } }));
      const ran = jsonOf(await own.run({ ...statsIntent, idempotencyKey: "shadowed" }, ["--json"]));
      expect(ran["status"]).toBe("executed");
      const failing = await own.exo(["policy", "shadow", "--fail-on-flip", "--json"]);
      expect([failing.code, failing.stderr]).toEqual([1, ""]);
      expect(shadowReportSchema.parse(jsonOf(failing))).toMatchObject({
        result: "flips",
        counts: { decisions: 1, notShadowed: 2, classes: { "allow->deny": 1 } },
        flips: [{ intentId: ran["intentId"], candidate: { ruleIds: ["nobody"] } }],
      });
      own.write("strict.yaml", "rules: [\n");
      const broken = await own.run({ ...statsIntent, idempotencyKey: "alone" });
      expect(broken.code).toBe(0);
      expect(broken.stderr).toMatch(/shadow mode is off, its policy cannot be used: .*strict\.yaml/);
      const text = await own.exo(["policy", "shadow"]);
      expect([text.code, lines(text).at(-2)]).toEqual([0, "flips   1 shadow decision   0 the same, 1 would differ"]);
      expect(text.stdout).toMatch(/^allow->deny .* allow-stats -> nobody /);
      expect(text.stdout).toContain("enforced    4 decisions   3 without a candidate\n");
      const check = await own.exo(["log", "check"]);
      expect([check.code, check.stdout]).toEqual([
        0,
        expect.stringMatching(/shadow decisions are what their candidates say +1\n/),
      ]);
    } finally {
      own.remove();
    }
  });

  it("tests the starter policy with the cases of the examples, and another one fails them", async () => {
    const ended = await shell.exo(["policy", "test", cases, "--policy", ".exoarmur/policy.json"]);
    expect([ended.code, lines(ended).at(-2)]).toEqual([0, "5 passed, 0 failed"]);
    const failing = await shell.exo(["policy", "test", cases, "--policy", "open.json", "--json"]);
    expect(failing.code).toBe(1);
    expect(jsonOf(failing)).toMatchObject({ schema: "exoarmur.policy-test/v1", passed: 0, failed: 5 });
  });

  it("runs recorded inputs and answers under another module: identical, other output, refused", async () => {
    const module = readFileSync(shell.path(".exoarmur/plugins/table-stats.wasm"));
    shell.write("table-stats.wasm", module);
    const same = await shell.exo(["backtest", "--plugin", "table-stats.wasm", "--fail-on-flip"]);
    expect(same.code).toBe(0);
    expect(same.stdout).toMatch(/fuel {8}min \+0, median \+0, p99 \+0, max \+0\nruns {8}1 run {3}1 identical\n$/);
    // The name of a member of the output, in the module's data.
    const altered = Buffer.from(module);
    altered.write("colomns", altered.indexOf(Buffer.from("columns", "utf16le")), "utf16le");
    shell.write("table-stats.wasm", altered);
    const other = await shell.exo(["backtest", "--plugin", "table-stats.wasm", "--fail-on-flip"]);
    expect(other.code).toBe(1);
    expect(other.stdout).toMatch(new RegExp(`^output differs {3}${statsId} {3}table.stats {3}output\n`));
    expect(other.stdout).toMatch(/first difference at byte \d+\n.*expected.*colu/);
    expect(other.stdout).toContain("no identical run");
    shell.write("table-stats.wasm", Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
    const refused = await shell.exo(["backtest", "--plugin", "table-stats.wasm"]);
    expect([refused.code, refused.stdout]).toEqual([6, expect.stringMatching(/^unable {5,}\S+ {3}EXO_WASM_/)]);
    const nobody = await shell.exo(["backtest", "--plugin", ".exoarmur/plugins/fs.wasm", "--json"]);
    expect(jsonOf(nobody)).toMatchObject({ runs: 0, fuelChange: null, differences: [] });
  });

  it("answers one host call of a bundle otherwise, and marks what comes of it", async () => {
    const bundle = `.exoarmur/bundles/${statsId}.proof.json`;
    const shown = await shell.exo(["replay", bundle, "--answer", "0"]);
    const answer = JSON.parse(shown.stdout) as { ok: { bytes: { $text: string }; size: number } };
    answer.ok.bytes.$text += "5,west,2\n";
    answer.ok.size += 9;
    shell.write("answer.json", JSON.stringify(answer));
    const other = await shell.exo(["replay", bundle, "--override", "0=answer.json"]);
    expect([other.code, other.stderr]).toEqual([0, ""]);
    expect(other.stdout).toMatch(/\nCounterfactual: output differs\nNobody gave this answer: /);
    const both = await shell.exo(["replay", bundle, "--answer", "0", "--override", "0=answer.json"]);
    expect([both.code, both.stderr]).toEqual([
      2,
      expect.stringContaining("--answer and --override do not go together"),
    ]);
    const nowhere = await shell.exo(["replay", "--all", "--override", "0=answer.json"]);
    expect([nowhere.code, nowhere.stderr]).toEqual([2, expect.stringContaining("--override takes a bundle")]);
  });

  it("compares two policies: proven narrower, wider with a request, or not decided", async () => {
    const home = ".exoarmur/policy.json";
    const narrower = await shell.exo(["policy", "diff", home, "strict.yaml"]);
    expect([narrower.code, narrower.stdout]).toEqual([
      0,
      expect.stringMatching(/^same or narrower {3}0 widenings {3}\d+ requests tried\n$/),
    ]);
    const wider = await shell.exo(["policy", "diff", home, "open.json"]);
    expect(wider.code).toBe(1);
    expect(wider.stdout).toContain("new_action        default -> all   deny -> allow\n");
    expect(wider.stdout).toContain("fewer_approvals   delete-needs-a-person -> all   require_approval -> allow\n");
    const open = await shell.exo(["policy", "diff", "pattern.json", "pattern2.json", "--json"]);
    expect([open.code, jsonOf(open)["result"]]).toEqual([6, "undecided"]);
  });
});
