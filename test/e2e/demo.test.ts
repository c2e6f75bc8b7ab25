import { existsSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { errorOf, jsonOf, Shell } from "./cli.js";

const privateFile = "/tmp/exoarmur-demo-private/secret-exports/customer-records.csv";

let shell: Shell;

beforeAll(() => {
  shell = new Shell();
});
afterAll(() => shell.remove());

describe("exoarmur demo", () => {
  it("plays its seven steps, tells them, and does so again in the same place", async () => {
    for (const round of ["first", "second"]) {
      const { code, stdout, stderr } = await shell.exo(["demo", "--home", "story"]);
      expect([round, code, stderr]).toEqual([round, 0, ""]);
      const lines = stdout.split("\n");
      expect(lines.slice(0, 6)).toEqual([
        "1  table.stats data/orders.csv: executed. 12000 rows, sum of amount 6030387.00, mean 502.53",
        "2  fs.remove secrets/keys.csv: denied. rule default; the file is still there",
        "3  fs.remove data/orders.csv: executed. asked for a person, approved by another key; the file is gone",
        "4  the same grant again: refused. EXO_APPROVAL_SPENT",
        "5  demo.spin, which never ends: out_of_fuel. EXO_OUT_OF_FUEL: used all its fuel (100000000)",
        "6  verify and replay every bundle: identical. 4 bundles verified, 3 executions run again with the files gone: same output, fuel, host calls",
      ]);
      expect(lines[6]).toMatch(/^7 {2}one byte of a bundle flipped: caught\. byte \d+: /);
      expect(lines.slice(8, 16).map((line) => line.slice(0, 4).trim())).toEqual([
        "step",
        "1",
        "2",
        "3",
        "4",
        "5",
        "6",
        "7",
      ]);
      expect(lines.slice(9, 16).every((line) => line.endsWith("   yes"))).toBe(true);
      expect(lines.slice(17, 19)).toEqual(["bundles  story/bundles", "trust    story/trust.json"]);
    }
    expect(existsSync(shell.path("story-files/secrets/keys.csv"))).toBe(true);
    expect(existsSync(shell.path("story-files/data/orders.csv"))).toBe(false);
  });

  it("leaves bundles that the command verifies and replays, and a tampered one that it doesn't", async () => {
    const bundles = shell.list("story/bundles").filter((name) => name.endsWith(".proof.json"));
    expect(bundles).toHaveLength(4);
    const codes = await Promise.all(
      bundles.map(async (name) => {
        const args = [`story/bundles/${name}`, "--trust", "story/trust.json"];
        const verified = await shell.exo(["verify", ...args]);
        const replayed = await shell.exo(["replay", ...args]);
        return [verified.code, replayed.code];
      }),
    );
    expect(codes).toEqual(bundles.map(() => [0, 0]));
    const tampered = await shell.exo([
      "verify",
      "story/bundles/tampered.proof.json.broken",
      "--trust",
      "story/trust.json",
    ]);
    expect(tampered.code).toBe(1);
    expect((await shell.exo(["log", "check", "--home", "story"])).code).toBe(0);
  });

  it("leaves a home alone that it didn't make", async () => {
    await shell.exo(["init"]);
    const config = shell.read(".exoarmur/config.json");
    for (const args of [["demo"], ["demo", "truth-reconstruction"]]) {
      const refused = await shell.exo([...args, "--home", ".exoarmur", "--json"]);
      expect([refused.code, errorOf(refused)]).toEqual([1, "EXO_HOME_EXISTS"]);
    }
    expect(shell.read(".exoarmur/config.json")).toBe(config);
    expect(shell.read("data/orders.csv")).toContain("order,region,amount");
  });
});

describe("exoarmur demo truth-reconstruction", () => {
  it("prints its six lines, and the file is there with its bytes", async () => {
    const { code, stdout, stderr } = await shell.exo(["demo", "truth-reconstruction", "--home", "truth"]);
    expect([code, stderr]).toEqual([0, ""]);
    const [bundle = "", hash = "", ...rest] = stdout.split("\n");
    expect(bundle).toMatch(/^Proof bundle written: \/.*\/truth\/bundles\/[0-9A-Z]{26}\.proof\.json$/);
    expect(hash).toMatch(/^Proof bundle replay hash: [0-9a-f]{64}$/);
    expect(rest).toEqual([
      "DEMO_RESULT=DENIED",
      "ACTION_EXECUTED=false",
      "AUDIT_STREAM_ID=canonical-truth-reconstruction-demo",
      "REPLAY_VERDICT=PASS",
      "",
    ]);
    expect(readFileSync(privateFile, "utf8")).toBe("id,name,email\n1,Ada,ada@example.org\n");
    const file = `truth/bundles/${basename(bundle)}`;
    expect((await shell.exo(["verify", file, "--trust", "truth/trust.json"])).code).toBe(0);
    const replayed = await shell.exo(["replay", "canonical-truth-reconstruction-demo", "--home", "truth", "--json"]);
    expect(jsonOf(replayed)).toMatchObject({ result: "success" });
    expect(replayed.code).toBe(0);
  });
});
