import { chmodSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ending, errorOf, jsonOf, NearShell, removeIntent, type Shell, statsIntent } from "./cli.js";

const commands = [
  "init",
  "run",
  "approvals list",
  "approvals show",
  "approvals approve",
  "approvals deny",
  "verify",
  "redact",
  "replay",
  "inspect",
  "meter",
  "canonicalize",
  "killswitch on",
  "killswitch off",
  "trustscore",
  "resolve",
  "serve",
  "tokens new",
  "log check",
  "log checkpoint",
  "doctor",
];

let shell: Shell;

beforeAll(() => {
  shell = new NearShell();
});
afterAll(() => shell.remove());

describe("help and usage", () => {
  it("every command has help with an example", async () => {
    const helps = await Promise.all(commands.map((command) => shell.exo([...command.split(" "), "--help"])));
    for (const [index, { code, stdout, stderr }] of helps.entries()) {
      expect([code, stderr]).toEqual([0, ""]);
      expect(stdout).toContain(`Usage: exoarmur ${commands[index]}`);
      expect(stdout).toMatch(/\nExample:\n {2}.*exoarmur /);
      expect(stdout).toContain("--json");
    }
  });

  it("the program's help lists the commands and the exit codes", async () => {
    const { code, stdout } = await shell.exo(["--help"]);
    for (const command of commands) expect(stdout).toContain(`\n  ${command.split(" ")[0]}`);
    expect(stdout).toContain("4 approval pending");
    expect(code).toBe(0);
    expect((await shell.exo(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it.each([
    [[], "a command is missing"],
    [["frobnicate"], "unknown command 'frobnicate'"],
    [["approvals"], "a command is missing"],
    [["approvals", "forge"], "unknown command 'forge'"],
    [["run"], "missing required argument 'intent'"],
    [["run", "a.json", "b.json"], "too many arguments"],
    [["run", "a.json", "--force"], "unknown option '--force'"],
    [["verify", "a.json", "--trust"], "option '--trust <file>' argument missing"],
    [["approvals", "deny", "X"], "required option '--reason <text>' not specified"],
    [["resolve", "X", "--outcome", "fine", "--evidence", "f"], "argument 'fine' is invalid"],
    [["meter", "a.wasm"], "required option '-o, --out <file>' not specified"],
    [["killswitch"], "a command is missing"],
  ])("%j is a usage error", async (args, message) => {
    const { code, stdout, stderr } = await shell.exo(args);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr.startsWith("error EXO_USAGE: ")).toBe(true);
    expect(stderr).toContain(message);
    expect(stderr).toMatch(/\nusage: exoarmur .*\n(?:commands: .*\n)?help: exoarmur.* --help\n$/);
    // Before an option that lacks its argument, which would take it as such.
    const at = args.at(-1) === "--trust" ? -1 : args.length;
    const json = await shell.exo([...args.slice(0, at), "--json", ...args.slice(at)]);
    expect([json.code, json.stderr]).toEqual([2, ""]);
    expect(errorOf(json)).toBe("EXO_USAGE");
  });
});

describe("which home", () => {
  it("commands that need a home say how to make one", async () => {
    for (const args of [
      ["approvals", "list"],
      ["approvals", "approve", "X"],
      ["log", "check"],
      ["log", "checkpoint"],
      ["killswitch", "on"],
      ["replay", "some correlation"],
    ]) {
      const { code, stderr } = await shell.exo(args);
      expect(stderr).toBe(
        `error EXO_HOME_MISSING: ${shell.path(".exoarmur")} does not exist; make it with: exoarmur init\n`,
      );
      expect(code).toBe(1);
    }
    const run = await shell.run(statsIntent, ["--json"]);
    expect([run.code, errorOf(run)]).toEqual([1, "EXO_HOME_MISSING"]);
    const doctor = await shell.exo(["doctor", "--json"]);
    expect(jsonOf(doctor)).toMatchObject({ result: "fail" });
    expect(doctor.code).toBe(1);
    expect(shell.list(".")).toEqual(["data"]);
  });

  it("--home comes before EXOARMUR_HOME, which comes before ./.exoarmur", async () => {
    const one = await shell.exo(["init", "--json"], { env: { EXOARMUR_HOME: "one" } });
    expect(jsonOf(one)).toMatchObject({ schema: "exoarmur.init/v1", home: shell.path("one") });
    const two = await shell.exo(["init", "two"], { env: { EXOARMUR_HOME: "one" } });
    expect(two.stdout).toContain("two/config.json   ");
    expect(two.stdout).toMatch(/\| npx exoarmur run - --home two\n$/);
    const env = { EXOARMUR_HOME: "one" };
    expect((await shell.exo(["approvals", "list"], { env })).code).toBe(0);
    expect((await shell.exo(["approvals", "list", "--home", "none"], { env })).code).toBe(1);
    const ran = await shell.run(statsIntent, ["--home", "two"], { env });
    expect(ran.stdout).toContain("bundle     two/bundles/");
  });
});

describe("keys and orders", () => {
  it("a key of another role, one that others may read, and a stranger's are refused", async () => {
    const pending = jsonOf(await shell.run(removeIntent, ["--home", "two", "--json"]));
    const id = String((pending["approval"] as { requestId: string }).requestId);
    const approve = (key: string): Promise<Awaited<ReturnType<Shell["exo"]>>> =>
      shell.exo(["approvals", "approve", id, "--home", "two", "--key", key, "--json"]);
    expect(errorOf(await approve("two/keys/operator.key"))).toBe("EXO_KEY");
    expect(errorOf(await approve("one/keys/approver.key"))).toBe("EXO_APPROVAL_APPROVER");
    expect(errorOf(await approve("two/keys/none.key"))).toBe("EXO_FILE");
    chmodSync(shell.path("two/keys/approver.key"), 0o644);
    expect(errorOf(await approve("two/keys/approver.key"))).toBe("EXO_KEY_MODE");
    chmodSync(shell.path("two/keys/approver.key"), 0o600);
    expect(shell.list("two/inbox")).toEqual([]);
    const show = jsonOf(await shell.exo(["approvals", "show", id, "--home", "two", "--json"]));
    expect(show).toMatchObject({ status: "pending", decisions: [], preview: { target: "data/orders.csv" } });
    const list = jsonOf(await shell.exo(["approvals", "list", "--home", "two", "--json"]));
    expect(list).toMatchObject({ approvals: [{ request: { requestId: id }, status: "pending" }] });
    const unknown = await shell.exo(["approvals", "show", "nothing", "--home", "two", "--json"]);
    expect([unknown.code, errorOf(unknown)]).toEqual([1, "EXO_APPROVAL_UNKNOWN"]);
  });

  it("killswitch on without a usable key still leaves the KILL file, and says so", async () => {
    const { code, stderr } = await shell.exo(["killswitch", "on", "--home", "two", "--key", "one/keys/operator.key"]);
    expect(stderr).toMatch(
      /^error EXO_TRUST: .*; the order is not recorded yet, but two\/KILL is in place and denies every start\n/,
    );
    expect(code).toBe(1);
    expect((await shell.run(statsIntent, ["--home", "two"])).code).toBe(3);
    expect((await shell.exo(["killswitch", "off", "--home", "two"])).code).toBe(0);
    expect((await shell.run(statsIntent, ["--home", "two"])).code).toBe(0);
  });

  it("resolve refuses an intent that is not in doubt, unknown or malformed", async () => {
    const resolve = async (id: string): Promise<string> => {
      const args = ["resolve", id, "--outcome", "unknown", "--evidence", "data/orders.csv", "--home", "two", "--json"];
      const ended = await shell.exo(args);
      expect(ended.code).toBe(1);
      return errorOf(ended);
    };
    const done = jsonOf(await shell.run(statsIntent, ["--home", "two", "--json"]));
    expect(await resolve(String(done["intentId"]))).toBe("EXO_NOT_IN_DOUBT");
    expect(await resolve("01KA4X6F7J2Z8Q0V5N3T9RBCDE")).toBe("EXO_INTENT_UNKNOWN");
    expect(await resolve("x")).toBe("EXO_ID");
  });
});

describe("a home that is not in order", () => {
  it("doctor and the commands name the file and what is wrong", async () => {
    const home = new NearShell();
    try {
      await home.exo(["init"]);
      await home.run(statsIntent);
      home.edit(".exoarmur/policy.json", (policy) => ({ ...policy, rules: [] }));
      const run = await home.run(statsIntent, ["--json"]);
      expect([run.code, errorOf(run)]).toEqual([1, "EXO_POLICY_VERSION"]);
      chmodSync(home.path(".exoarmur/keys/runtime.key"), 0o644);
      home.write(".exoarmur/KILL", "");
      const env = { EXOARMUR_FLAG_V2_CONTROL_PLANE_ENABLED: "yes" };
      const doctor = await home.exo(["doctor"], { env });
      expect(doctor.stdout).toMatch(/\nfail {3}keys +EXO_KEY_MODE: .*chmod 600 /);
      expect(doctor.stdout).toMatch(/\nfail {3}policy +EXO_POLICY_VERSION: /);
      expect(doctor.stdout).toMatch(/\nwarn {3}kill switch +EXO_KILL_SWITCH: /);
      expect(doctor.stdout).toMatch(
        /\nfail {3}flag v2_control_plane_enabled +EXO_FLAG: .* needs EXOARMUR_FLAG_V2_FEDERATION_ENABLED, which is off\n/,
      );
      expect(doctor.code).toBe(1);
      home.write(".exoarmur/config.json", '{"schema":"exoarmur.config/v1",\n"tenant":"x"}');
      const list = await home.exo(["approvals", "list"]);
      expect(list.stderr).toMatch(/^error EXO_SCHEMA: \S+config\.json/);
      expect(list.code).toBe(1);
    } finally {
      home.remove();
    }
  });
});

describe("streams", () => {
  it("a reader that goes away does not end a command with a stack", async () => {
    const child = shell.start(["--help"]);
    child.stdout?.destroy();
    const { code, stderr } = await ending(child);
    expect(stderr).toBe("");
    expect(code).toBe(0);
  });
});
