import { existsSync, statSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { jsonOf, removeIntent, Shell, statsIntent, steady } from "./cli.js";

/** One session at the terminal, in order: every test goes on from the one before. */
describe("a session at the terminal", () => {
  let shell: Shell;
  let statsBundle = "";
  let requestId = "";

  beforeAll(() => {
    shell = new Shell();
  });
  afterAll(() => shell.remove());

  it("init makes a home and says what is in it", async () => {
    const { code, stdout, stderr } = await shell.exo(["init"]);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(stdout).toBe(
      [
        ".exoarmur/config.json   what executors may touch: data -> ./data (read, write)",
        ".exoarmur/policy.json   1 rule allows table.stats under data/, 1 asks a person for fs.remove, the rest is denied",
        ".exoarmur/trust.json    public keys: give this file to whoever verifies",
        ".exoarmur/plugins/      executors: fs, table-stats",
        ".exoarmur/keys/         runtime, log, approver, operator, author (0600). Move approver.key off this machine before it matters.",
        `next: echo '{"actor":"me","action":"table.stats","parameters":{"path":"data/orders.csv"}}' | npx exoarmur run -`,
        "",
      ].join("\n"),
    );
    expect(shell.list(".exoarmur/keys")).toEqual([
      "approver.key",
      "author.key",
      "log.key",
      "operator.key",
      "runtime.key",
      "salt.key",
    ]);
    expect(statSync(shell.path(".exoarmur/keys/approver.key")).mode & 0o777).toBe(0o600);
  });

  it("init refuses a home that is there", async () => {
    const { code, stdout, stderr } = await shell.exo(["init"]);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("error EXO_HOME_EXISTS: ");
  });

  it("reading an unused home works", async () => {
    const list = await shell.exo(["approvals", "list"]);
    expect([list.code, list.stdout]).toEqual([0, "nothing waits for approval\n"]);
    const checkpoint = await shell.exo(["log", "checkpoint"]);
    expect(checkpoint.code).toBe(1);
    expect(checkpoint.stderr).toBe("error EXO_LOG_RANGE: the log is empty; nothing was recorded yet\n");
    expect(existsSync(shell.path(".exoarmur/data/data.mdb"))).toBe(false);
  });

  it("run executes an allowed intent and leaves its bundle", async () => {
    const { code, stdout, stderr } = await shell.run(statsIntent);
    expect(stderr).toBe("");
    expect(steady(stdout)).toBe(
      [
        "executed   table-stats@1.0.0 stats   rule allow-stats   <N> fuel   <N> host calls   <N> ms",
        "bundle     .exoarmur/bundles/<ID>.proof.json",
        "",
      ].join("\n"),
    );
    expect(code).toBe(0);
    statsBundle = stdout.split("\n")[1]?.slice(11) ?? "";
    expect(shell.read(statsBundle).startsWith('{"envelope":')).toBe(true);
  });

  it("run denies what the policy does not name", async () => {
    const { code, stdout } = await shell.run({ ...removeIntent, parameters: { path: "secrets/keys.csv" } });
    const [denied = "", next = "", policy = "", bundle = ""] = steady(stdout).split("\n");
    expect(next).toBe("next       agent   ask for what the rules of ruleIds allow, or leave it");
    expect(policy).toMatch(/^next {7}policy-author {3}sign a policy /);
    expect(denied).toMatch(/^denied {5}EXO_POLICY_DENIED {3}rule default {3}\S/);
    expect(bundle).toBe("bundle     .exoarmur/bundles/<ID>.proof.json");
    expect(code).toBe(3);
  });

  it("run asks a person where the policy says so", async () => {
    const { code, stdout } = await shell.run(removeIntent);
    expect(steady(stdout)).toBe(
      [
        "approval pending   <ID>   rule delete-needs-a-person   0 of 1 approvals, role approver, expires in 15 min",
        "will run           fs@1.0.0 remove   target data/orders.csv   by me",
        "approve with       npx exoarmur approvals approve <ID> --key .exoarmur/keys/approver.key",
        "",
      ].join("\n"),
    );
    expect(code).toBe(4);
    requestId = stdout.split("   ")[1] ?? "";
    expect(existsSync(shell.path("data/orders.csv"))).toBe(true);
  });

  it("approvals list and show tell what waits", async () => {
    const list = await shell.exo(["approvals", "list"]);
    expect(list.stdout).toBe(
      `${requestId}   pending   fs@1.0.0 remove   target data/orders.csv   by me   0 of 1 approvals   expires in 15 min\n`,
    );
    const show = await shell.exo(["approvals", "show", requestId]);
    expect(show.code).toBe(0);
    expect(show.stdout).toContain("will run     fs@1.0.0 remove   target data/orders.csv   by me\n");
    expect(show.stdout).toContain('parameters   {"path":"data/orders.csv"}\n');
    expect(show.stdout).toContain('grant        fs_remove   {"roots":["data"],"paths":["data/orders.csv"]}\n');
    expect(show.stdout).toMatch(/may decide {3}approver {3}approver {3}[0-9a-f]{32}\n/);
  });

  it("approvals approve shows what will run, and runs it", async () => {
    const args = ["approvals", "approve", requestId, "--key", ".exoarmur/keys/approver.key"];
    const { code, stdout, stderr } = await shell.exo(args);
    expect(stderr).toBe("");
    expect(steady(stdout)).toBe(
      [
        "will run   fs@1.0.0 remove   target data/orders.csv   by me",
        "executed   bundle .exoarmur/bundles/<ID>.proof.json",
        "",
      ].join("\n"),
    );
    expect(code).toBe(0);
    expect(existsSync(shell.path("data/orders.csv"))).toBe(false);
  });

  it("an approval is spent once", async () => {
    const { code, stderr } = await shell.exo(["approvals", "approve", requestId]);
    expect(stderr).toContain("error EXO_APPROVAL_SPENT: ");
    expect(code).toBe(1);
    const list = await shell.exo(["approvals", "list", "--all"]);
    expect(list.stdout).toContain(`${requestId}   spent`);
  });

  it("an execution that fails has its exit code and its bundle", async () => {
    const { code, stdout } = await shell.run(statsIntent);
    const [failed = "", next = "", plugin = "", bundle = ""] = steady(stdout).split("\n");
    expect(next).toBe("next       agent   correct what the message names, and ask under a new idempotencyKey");
    expect(plugin).toMatch(/^next {7}plugin-author {3}mend the plugin/);
    expect(failed).toMatch(/^failed {5}EXO_GUEST_ERROR {3}table-stats@1\.0\.0 stats {3}<N> fuel {3}.*EXO_FS_NOT_FOUND/);
    expect(bundle).toBe("bundle     .exoarmur/bundles/<ID>.proof.json");
    expect(code).toBe(5);
  });

  it("verify checks a bundle, pinned and by itself", async () => {
    const pinned = await shell.exo(["verify", statsBundle, "--trust", ".exoarmur/trust.json"]);
    expect(pinned.code).toBe(0);
    expect(pinned.stdout).toMatch(/^pass {3}bundle is well formed /);
    expect(pinned.stdout).toMatch(/\npass {3}policy re-evaluated +allow by allow-stats\n/);
    expect(pinned.stdout).toMatch(/\nn\/a {4}witness quorum /);
    expect(pinned.stdout).toMatch(/\n\npass {3}pinned {3}\d+ checks, \d+ passed, \d+ not applicable\n/);
    expect(pinned.stdout).toContain("A pass does not prove that the outside world gave these answers");
    const alone = await shell.exo(["verify", statsBundle]);
    expect(alone.code).toBe(0);
    expect(alone.stdout).toContain("This proves integrity, not identity: anybody could have made it.");
    expect(alone.stdout).toMatch(/\npass {3}self-check only /);
  });

  it("verify names what was changed, and a stranger's trust file fails", async () => {
    shell.write(
      "changed.proof.json",
      shell.read(statsBundle).replace(/"sig":"./, (found) => `${found.slice(0, -1)}${found.endsWith("A") ? "B" : "A"}`),
    );
    const changed = await shell.exo(["verify", "changed.proof.json", "--trust", ".exoarmur/trust.json"]);
    expect(changed.code).toBe(1);
    expect(changed.stdout).toMatch(/\nfail {3}envelope signature +EXO_SIGNATURE: /);
    await shell.exo(["init", "other"]);
    const stranger = await shell.exo(["verify", statsBundle, "--trust", "other/trust.json"]);
    expect(stranger.code).toBe(1);
    expect(stranger.stdout).toMatch(/\nfail {3}envelope signature +EXO_TRUST: /);
  });

  it("replay re-executes a bundle and a correlation", async () => {
    const bundle = await shell.exo(["replay", statsBundle]);
    expect(bundle.stderr).toBe("");
    expect(bundle.stdout).toContain("Replay result: success\nFailures: none\n");
    expect(bundle.stdout).toMatch(/pass {3}execution +plugin re-executed +completed: same output, \d+ fuel/);
    expect(bundle.code).toBe(0);
    const run = jsonOf(await shell.run({ ...removeIntent, correlationId: "one story" }, ["--json"]));
    expect(run["status"]).toBe("approval_pending");
    const open = await shell.exo(["replay", "one story"]);
    expect(open.stdout).toContain("Replay result: partial\n");
    expect(open.code).toBe(6);
    const deny = await shell.exo(["approvals", "deny", String(run["intentId"]), "--reason", "not today", "--json"]);
    expect(jsonOf(deny)).toMatchObject({ decision: "deny", status: "denied", reason: { code: "EXO_APPROVAL_DENIED" } });
    expect(deny.code).toBe(0);
    const closed = await shell.exo(["replay", "one story", "--json"]);
    expect(jsonOf(closed)).toMatchObject({ result: "success", trustMode: "pinned", counts: { intents: 1 } });
    expect(closed.code).toBe(0);
    const none = await shell.exo(["replay", "no such story"]);
    expect(none.stdout).toContain("No audit records found for correlation_id: no such story");
    expect(none.code).toBe(1);
  });

  it("log check and checkpoint read the log", async () => {
    const check = await shell.exo(["log", "check"]);
    expect(check.stdout).toMatch(/\n\npass {3}\d+ log entries {3}events \d+, bundles \d+, intents \d+\n$/);
    expect(check.code).toBe(0);
    const checkpoint = await shell.exo(["log", "checkpoint"]);
    expect(checkpoint.stdout).toMatch(/^exoarmur\/local\/[0-9a-f]{16}\n\d+\n[+/0-9A-Za-z]{43}=\n\n— exoarmur\/local\//);
    const json = jsonOf(await shell.exo(["log", "checkpoint", "--json"]));
    expect(json["checkpoint"]).toBe(checkpoint.stdout);
  });

  it("the kill switch stops everything until it is off", async () => {
    const on = await shell.exo(["killswitch", "on"]);
    expect(on.stdout).toBe(
      "kill switch   on   every tenant   epoch 3\nKILL file     .exoarmur/KILL   stays until killswitch off\n",
    );
    expect(on.code).toBe(0);
    const stopped = await shell.run(statsIntent);
    expect(steady(stopped.stdout)).toMatch(/^denied {5}EXO_KILL_SWITCH {3}rule kill-switch\S* /);
    expect(stopped.code).toBe(3);
    const off = await shell.exo(["killswitch", "off"]);
    expect(off.stdout).toBe("kill switch   off   every tenant   epoch 4\n");
    expect(existsSync(shell.path(".exoarmur/KILL"))).toBe(false);
  });

  it("a tenant's switch leaves no KILL file", async () => {
    const on = await shell.exo(["killswitch", "on", "--tenant", "default", "--json"]);
    expect(jsonOf(on)).toMatchObject({ global: false, tenants: { default: true }, killFile: false });
    expect(existsSync(shell.path(".exoarmur/KILL"))).toBe(false);
    expect((await shell.run(statsIntent)).code).toBe(3);
    const unknown = await shell.exo(["killswitch", "off", "--tenant", "nobody"]);
    expect(unknown.stderr).toContain("error EXO_TENANT_UNKNOWN: ");
    expect(unknown.code).toBe(1);
    expect((await shell.exo(["killswitch", "off", "--tenant", "default"])).code).toBe(0);
  });

  it("an actor's trust score is set by the operator's key", async () => {
    const set = await shell.exo(["trustscore", "me", "0.4"]);
    expect([set.code, set.stdout]).toEqual([0, "trust score   me 0.4   tenant default\n"]);
    expect((await shell.run(statsIntent)).code).toBe(4);
    expect((await shell.exo(["trustscore", "me", "1", "--json"])).code).toBe(0);
    for (const score of ["1.1", "x", "1e-3"]) expect((await shell.exo(["trustscore", "me", score])).code).toBe(2);
  });

  it("doctor finds the home in order", async () => {
    const { code, stdout } = await shell.exo(["doctor"]);
    expect(stdout).toMatch(/^ok {5}node +Node\.js /);
    expect(stdout).toMatch(/\nok {5}sandbox +table-stats ran and replayed to the same bytes and fuel/);
    expect(stdout).toMatch(/\nwarn {3}keys +runtime, log, approver, operator, policy-author: private/);
    expect(stdout).toMatch(/\nok {5}log +\d+ entries, consistent with the anchor at \d+\n/);
    expect(stdout).toMatch(
      /\nok {5}policy +policy\.json: files version 1, 2 rules, sha256:[0-9a-f]{64}, signed and active\n/,
    );
    expect(stdout).toMatch(
      /\nok {5}flag v2_federation_enabled +EXOARMUR_FLAG_V2_FEDERATION_ENABLED is off \(default\)\n/,
    );
    expect(stdout).not.toMatch(/^fail/m);
    expect(code).toBe(0);
  });
});
