import { cpSync, existsSync, readFileSync, rmSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Ended, ending, jsonOf, NearShell, ROOT, statsIntent } from "./cli.js";

const example = `${ROOT}/examples/policy-cedar`;

/** Written at the end of a command by a module that it preloads: whether Cedar's engine was loaded. */
const spy = `process.on("exit", () => {
  const loaded = Object.keys(require.cache).some((path) => path.includes("cedar-wasm"));
  require("node:fs").writeFileSync(process.env.SPY_FILE, String(loaded));
});`;

describe("a home whose policy is in Cedar", () => {
  let shell: NearShell;
  let ruled: string;
  let decided: string;
  const bundleOf = (ended: Ended): string => (jsonOf(ended)["bundle"] as { path: string }).path;

  beforeAll(async () => {
    shell = new NearShell();
    shell.write("spy.cjs", spy);
    await shell.exo(["init"]);
    ruled = bundleOf(await shell.run(statsIntent, ["--json"]));
    rmSync(shell.path(".exoarmur/policy.json"));
    for (const name of ["policy.json", "policy.cedar", "policy.cedarschema"])
      cpSync(`${example}/${name}`, shell.path(".exoarmur", name));
    decided = bundleOf(await shell.run(statsIntent, ["--json"]));
  });
  afterAll(() => shell.remove());

  /** A command, and whether it loaded the engine. */
  async function watched(args: readonly string[]): Promise<{ ended: Ended; loaded: string }> {
    const file = shell.path("spied");
    rmSync(file, { force: true });
    const env = { NODE_OPTIONS: `--require ${shell.path("spy.cjs")}`, SPY_FILE: file };
    // A process of its own: in this one the engine may have been loaded by another test.
    const ended = await ending(shell.start(args, { env }));
    return { ended, loaded: existsSync(file) ? readFileSync(file, "utf8") : "not run" };
  }

  it("runs what it permits, and verifies", async () => {
    const ended = await shell.exo(["verify", decided, "--trust", ".exoarmur/trust.json"]);
    expect([ended.code, ended.stderr]).toEqual([0, ""]);
    expect(ended.stdout).toMatch(/^pass +policy re-evaluated +allow by allow-stats$/m);
  });

  it("loads no engine where none is needed", async () => {
    const { ended, loaded } = await watched(["verify", ruled, "--trust", ".exoarmur/trust.json"]);
    expect([ended.code, loaded]).toEqual([0, "false"]);
  });

  it("verifies several and audits the log, decisions of both languages together", async () => {
    const many = await shell.exo(["verify", ruled, decided, "--trust", ".exoarmur/trust.json"]);
    expect([many.code, many.stderr]).toEqual([0, ""]);
    const checked = await shell.exo(["log", "check"]);
    expect([checked.code, checked.stderr]).toEqual([0, ""]);
  });

  it("explains, policy by policy, what was recorded", async () => {
    const ended = await shell.exo(["policy", "explain", idOf(decided)]);
    expect([ended.code, ended.stderr]).toEqual([0, ""]);
    expect(ended.stdout).toMatch(/^verdict +allow by allow-stats +permitted by allow-stats$/m);
    expect(ended.stdout).toMatch(/^decides +allow-stats +allow +yes +\/scope yes, \/conditions yes$/m);
    expect(ended.stdout).toMatch(/keep-the-archive +deny +no +\/scope no$/m);
  });

  it("tests the cases beside the example", async () => {
    const ended = await shell.exo(["policy", "test", example]);
    expect([ended.code, ended.stderr]).toEqual([0, ""]);
    expect(ended.stdout).toMatch(/7 passed, 0 failed\n$/);
  });

  it("backtests it against what rules decided, and diffs it with nothing but itself", async () => {
    const back = await shell.exo(["backtest", "--policy", `${example}/policy.json`, "--fail-on-flip"]);
    expect([back.code, back.stderr]).toEqual([0, ""]);
    const diff = await shell.exo(["policy", "diff", ".exoarmur/policy.json", `${example}/../policy-cedar/policy.json`]);
    expect([diff.code, diff.stdout]).toEqual([0, "same or narrower   0 widenings   0 requests tried\n"]);
  });
});

function idOf(path: string): string {
  return path.replace(/^.*[/\\]/, "").replace(/\.proof\.json$/, "");
}
