import { readdirSync, readFileSync, statSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { shadowReportSchema } from "../../src/contracts/shadow.js";
import { errorOf, jsonOf, removeIntent, Shell, statsIntent } from "./cli.js";
import { command } from "./support/command.js";

const strict = {
  schema: "exoarmur.policy/v1",
  policyId: "next",
  version: 3,
  rules: [
    { id: "nobody", match: { action: "table.stats" }, verdict: "deny" },
    {
      id: "two-people",
      match: { action: "fs.remove" },
      verdict: "require_approval",
      rationale: "deleting cannot be undone",
      obligations: { approvals: 2, narrow: { fs_remove: { paths: ["{target}"] } } },
    },
  ],
};

let shell: Shell;
const exo = (...args: readonly string[]) => command(shell, args);
const askBeside = (policy: string) =>
  shell.edit(".exoarmur/config.json", (config) => ({ ...config, shadow: { policy } }));

beforeAll(async () => {
  shell = new Shell();
  await shell.exo(["init"]);
  await shell.run(statsIntent);
  shell.write("next.json", JSON.stringify(strict));
  askBeside("next.json");
});
afterAll(() => shell.remove());

describe("shadow mode of a home", () => {
  it("lets the action run that the candidate denies, and shows what it would have said", async () => {
    const ran = await shell.run(statsIntent, ["--json"]);
    expect([ran.code, jsonOf(ran)["status"], ran.stderr]).toEqual([0, "executed", ""]);
    await shell.run(removeIntent);
    const { code, stdout } = await exo("policy", "shadow");
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^allow->deny {6}\S+ {3}\S+ {3}table\.stats {3}allow-stats -> nobody {15,}data\/orders\.csv\nmore approvals {3}/,
    );
    expect(stdout).toMatch(
      /candidate {3}next version 3 {3}sha256:[0-9a-f]{64} {3}2 decisions, 2 flips\nenforced {4}3 decisions {3}1 without a candidate\nflips {3}2 shadow decisions {3}0 the same, 2 would differ\n$/,
    );
    const json = await exo("policy", "shadow", "--json", "--fail-on-flip");
    expect(json.code).toBe(1);
    const report = shadowReportSchema.parse(jsonOf(json));
    expect(report.counts).toMatchObject({ enforced: 3, notShadowed: 1, flips: 2 });
    expect(report.counts.classes).toEqual({ "allow->deny": 1, "more approvals": 1 });
  });

  it("keeps to a span and a tenant, and refuses a span that is none", async () => {
    for (const limit of [
      ["--until", "2026-01-01"],
      ["--since", "2999-01-01"],
      ["--tenant", "nobody"],
    ]) {
      const none = await exo("policy", "shadow", "--json", "--fail-on-flip", ...limit);
      expect([none.code, jsonOf(none)["counts"]]).toEqual([0, expect.objectContaining({ enforced: 0, decisions: 0 })]);
    }
    const wrong = await exo("policy", "shadow", "--since", "yesterday", "--json");
    expect([wrong.code, errorOf(wrong)]).toEqual([2, "EXO_USAGE"]);
  });

  it("stands in the log, which checks and exports as before", async () => {
    const checked = jsonOf(await exo("log", "check", "--json")) as {
      result: string;
      checks: { id: string; message: string }[];
    };
    expect(checked.result).toBe("pass");
    expect(checked.checks.find(({ id }) => id === "shadows")).toMatchObject({ state: "pass", message: "2" });
    await exo("log", "export", "public");
    const exported = await exo("log", "check", "--dir", "public", "--trust", ".exoarmur/trust.json");
    expect([exported.code, exported.stdout]).toEqual([0, expect.stringContaining("pass")]);
    // What is published of a shadow decision is its salted digest.
    const entries = readdirSync(shell.path("public/tile/entries"), { recursive: true, encoding: "utf8" })
      .map((name) => shell.path("public/tile/entries", name))
      .filter((file) => statSync(file).isFile());
    const published = entries.map((file) => readFileSync(file, "latin1")).join("");
    expect(published).toContain('"kind":"shadow"');
    expect(published).not.toContain("two-people");
  });

  it("starts without a candidate that cannot be used, says so, and so does doctor", async () => {
    askBeside("none.yaml");
    const ran = await shell.run(statsIntent, ["--json"]);
    expect([ran.code, jsonOf(ran)["status"]]).toEqual([0, "executed"]);
    expect(ran.stderr).toContain(`no candidate is asked: EXO_FILE: ${shell.path("none.yaml")} does not exist`);
    const { checks } = jsonOf(await exo("doctor", "--json")) as {
      checks: { id: string; state: string; code?: string }[];
    };
    expect(checks.find(({ id }) => id === "shadow policy")).toMatchObject({ state: "warn", code: "EXO_FILE" });
    expect(jsonOf(await exo("policy", "shadow", "--json"))["counts"]).toMatchObject({ enforced: 4, notShadowed: 2 });
  });

  it("shows a good candidate in doctor, and refuses a config that names none", async () => {
    askBeside("next.json");
    const { checks } = jsonOf(await exo("doctor", "--json")) as { checks: { id: string; message: string }[] };
    expect(checks.find(({ id }) => id === "shadow policy")).toMatchObject({
      state: "ok",
      message: expect.stringMatching(/^next version 3, 2 rules, sha256:\w+: asked, never obeyed$/),
    });
    for (const shadow of [{}, { policy: "" }, { policy: "a\0b" }, { policy: "next.json", enforce: true }]) {
      shell.edit(".exoarmur/config.json", (config) => ({ ...config, shadow }));
      const refused = await exo("policy", "shadow", "--json");
      expect([refused.code, errorOf(refused)]).toEqual([1, "EXO_SCHEMA"]);
    }
  });
});
