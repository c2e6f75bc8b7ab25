import { readdirSync, readFileSync, statSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Ended, errorOf, jsonOf, NearShell, removeIntent, statsIntent } from "./cli.js";

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
      obligations: { approvals: 2, narrow: { fs_remove: { paths: ["{target}"] } } },
    },
  ],
};

let shell: NearShell;
const askBeside = (shadow: unknown) => shell.edit(".exoarmur/config.json", (config) => ({ ...config, shadow }));
const lineOf = (doctor: Ended) =>
  (jsonOf(doctor)["checks"] as { id: string; state: string; code?: string; message: string }[]).find(
    ({ id }) => id === "shadow policy",
  );

beforeAll(async () => {
  shell = new NearShell();
  await shell.exo(["init"]);
  shell.write("next.json", JSON.stringify(strict));
  askBeside({ policy: "next.json" });
  await shell.run(statsIntent);
  await shell.run(removeIntent);
});
afterAll(() => shell.remove());

describe("a home with a candidate", () => {
  it("has it judge what runs and what waits for a person", async () => {
    const report = jsonOf(await shell.exo(["policy", "shadow", "--json"]));
    expect(report["counts"]).toMatchObject({ enforced: 2, notShadowed: 0, decisions: 2, flips: 2 });
    expect(report["flips"]).toMatchObject([{ classes: ["allow->deny"] }, { classes: ["more approvals"] }]);
  });

  it("keeps to a span and a tenant, and refuses a span that is none", async () => {
    for (const limit of [
      ["--until", "2026-01-01"],
      ["--since", "2999-01-01"],
      ["--tenant", "nobody"],
    ]) {
      const none = await shell.exo(["policy", "shadow", "--json", "--fail-on-flip", ...limit]);
      expect([none.code, jsonOf(none)["counts"]]).toEqual([0, expect.objectContaining({ enforced: 0, flips: 0 })]);
    }
    const wrong = await shell.exo(["policy", "shadow", "--since", "yesterday", "--json"]);
    expect([wrong.code, errorOf(wrong)]).toEqual([2, "EXO_USAGE"]);
  });

  it("publishes nothing of its decisions but salted digests, in an export that checks", async () => {
    expect((await shell.exo(["log", "export", "public"])).code).toBe(0);
    const checked = await shell.exo(["log", "check", "--dir", "public", "--trust", ".exoarmur/trust.json", "--json"]);
    expect([checked.code, jsonOf(checked)["result"]]).toEqual([0, "pass"]);
    const entries = readdirSync(shell.path("public/tile/entries"), { recursive: true, encoding: "utf8" })
      .map((name) => shell.path("public/tile/entries", name))
      .filter((file) => statSync(file).isFile());
    const published = entries.map((file) => readFileSync(file, "latin1")).join("");
    expect(published.split('"kind":"shadow"')).toHaveLength(3);
    expect(published).not.toContain("two-people");
  });

  it("is told in doctor whether it is asked", async () => {
    const message = expect.stringMatching(/^next version 3, 2 rules, sha256:\w+: asked, never obeyed$/);
    expect(lineOf(await shell.exo(["doctor", "--json"]))).toMatchObject({ state: "ok", message });
    askBeside({ policy: "none.yaml" });
    const missing = await shell.exo(["doctor", "--json"]);
    expect(missing.code).toBe(0);
    expect(lineOf(missing)).toMatchObject({
      state: "warn",
      code: "EXO_FILE",
      message: `not asked: ${shell.path("none.yaml")} does not exist`,
    });
    askBeside(undefined);
    expect(lineOf(await shell.exo(["doctor", "--json"]))).toBeUndefined();
  });

  it("is refused in a config that names none", async () => {
    for (const shadow of [
      {},
      { policy: "" },
      { policy: "a\0b" },
      { policy: "next.json", enforce: true },
      "next.json",
    ]) {
      askBeside(shadow);
      const refused = await shell.exo(["policy", "shadow", "--json"]);
      expect([refused.code, errorOf(refused)]).toEqual([1, "EXO_SCHEMA"]);
    }
  });
});
