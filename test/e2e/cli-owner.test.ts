import { type ChildProcess, spawn } from "node:child_process";
import { copyFileSync, existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ending, errorOf, jsonOf, ROOT, removeIntent, Shell, statsIntent } from "./cli.js";

const CHILD = fileURLToPath(new URL("cli-owner-child.mjs", import.meta.url));

let made: Shell;

beforeAll(async () => {
  made = new Shell();
  await made.exo(["init"]);
});
afterAll(() => made.remove());

describe("while a runtime owns the home", () => {
  let shell: Shell;
  let owner: ChildProcess;

  const own = async (): Promise<void> => {
    owner = spawn(process.execPath, [CHILD, `${ROOT}/dist`, shell.path(".exoarmur")], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    await new Promise((resolve) => owner.stdout?.once("data", resolve));
  };

  beforeEach(() => {
    shell = new Shell(made);
  });
  afterEach(async () => {
    if (owner.exitCode === null && owner.signalCode === null) {
      owner.stdin?.end();
      await new Promise((resolve) => owner.once("close", resolve));
    }
    shell.remove();
  });

  it("a second run is refused, and names the owner", async () => {
    await own();
    const { code, stdout, stderr } = await shell.run(statsIntent);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain(`error EXO_HOME_LOCKED: ${shell.path(".exoarmur")} is owned by process ${owner.pid}; `);
    const json = await shell.run(statsIntent, ["--json"]);
    expect(errorOf(json)).toBe("EXO_HOME_LOCKED");
    const doctor = await shell.exo(["doctor"]);
    expect(doctor.stdout).toContain(`process ${owner.pid} owns the home\n`);
    expect(doctor.code).toBe(0);
  });

  it("the kill switch and decisions go through the inbox", async () => {
    const pending = jsonOf(await shell.run(removeIntent, ["--json"]));
    const intentId = String(pending["intentId"]);
    await own();
    const on = await shell.exo(["killswitch", "on", "--json"]);
    expect(jsonOf(on)).toMatchObject({ global: true, epoch: 3, killFile: true });
    const stopped = await shell.exo(["approvals", "approve", intentId, "--json"]);
    expect(jsonOf(stopped)).toMatchObject({ status: "denied", reason: { code: "EXO_KILL_SWITCH" } });
    expect(stopped.code).toBe(3);
    const off = await shell.exo(["killswitch", "off"]);
    expect(off.stdout).toBe("kill switch   off   every tenant   epoch 4\n");
    expect(existsSync(shell.path(".exoarmur/KILL"))).toBe(false);
    expect(existsSync(shell.path("data/orders.csv"))).toBe(true);
  });

  it("an approval through the inbox runs the action in the owner", async () => {
    const pending = jsonOf(await shell.run(removeIntent, ["--json"]));
    await own();
    const { code, stdout } = await shell.exo(["approvals", "approve", String(pending["intentId"])]);
    expect(stdout).toContain(
      "will run   fs@1.0.0 remove   target data/orders.csv   by me\nexecuted   bundle .exoarmur/bundles/",
    );
    expect(code).toBe(0);
    expect(existsSync(shell.path("data/orders.csv"))).toBe(false);
    expect((await shell.exo(["log", "check"])).code).toBe(0);
    const again = await shell.exo(["approvals", "deny", String(pending["intentId"]), "--reason", "late", "--json"]);
    expect(errorOf(again)).toBe("EXO_APPROVAL_SPENT");
    expect(again.code).toBe(1);
  });

  it("an order outlives the owner it was waiting for", async () => {
    await own();
    // A stopped process is alive and answers nothing.
    process.kill(owner.pid ?? 0, "SIGSTOP");
    const waiting = ending(shell.start(["killswitch", "on"]));
    while (shell.list(".exoarmur/inbox").every((name) => !name.endsWith(".order.json"))) await sleep(20);
    process.kill(owner.pid ?? 0, "SIGKILL");
    const { code, stdout } = await waiting;
    expect(stdout).toContain("kill switch   on   every tenant   epoch 3\n");
    expect(code).toBe(0);
  });

  it("reading commands work beside the owner", async () => {
    await shell.run(statsIntent);
    await own();
    expect((await shell.exo(["log", "check"])).code).toBe(0);
    expect((await shell.exo(["approvals", "list"])).code).toBe(0);
    expect((await shell.exo(["log", "checkpoint"])).code).toBe(0);
  });
});

describe("an action in doubt", () => {
  it("is left by a second interrupt, told by run and replay, and closed by resolve", async () => {
    const shell = new Shell(made);
    try {
      const manifest = `{"schema":"exoarmur.executor/v1","name":"spin","version":"1.0.0",
        "functions":[{"name":"spin","action":"demo.spin","effects":"none"}],"capabilities":[],
        "limits":{"fuel":9000000000000000,"timeoutMs":600000}}`;
      copyFileSync(`${ROOT}/plugins/spin.wasm`, shell.path(".exoarmur/plugins/spin.wasm"));
      shell.write(".exoarmur/plugins/spin.json", manifest);
      shell.edit(".exoarmur/policy.json", (policy) => ({
        ...policy,
        rules: [{ id: "spin", match: { action: "demo.spin" }, verdict: "allow" }],
      }));
      const intent = {
        actor: "me",
        action: "demo.spin",
        parameters: {},
        idempotencyKey: "once",
        correlationId: "spinning",
      };
      const child = shell.start(["run", "-"], { input: JSON.stringify(intent) });
      const running = ending(child);
      const open = async (): Promise<{ intentId: string; state: string } | undefined> => {
        const audit = await shell.exo(["log", "check", "--json"]);
        return (jsonOf(audit)["open"] as { intentId: string; state: string }[] | undefined)?.[0];
      };
      let found = await open();
      while (found === undefined) found = await open();
      expect(found.state).toBe("started");
      child.kill("SIGINT");
      await new Promise((resolve) => child.stderr?.once("data", resolve));
      child.kill("SIGINT");
      const ended = await running;
      expect(ended.stderr).toContain(
        "interrupted; what has started goes on to its record, a second Ctrl-C leaves it in doubt\n",
      );
      expect(ended.code).toBe(130);

      const again = await shell.run(intent);
      expect(again.stdout).toContain(`in doubt       ${found.intentId}   `);
      expect(again.stderr).toContain(`warn: intent ${found.intentId} is in doubt; see exoarmur resolve\n`);
      expect(again.code).toBe(7);
      expect((await shell.exo(["replay", "spinning"])).code).toBe(6);

      const args = [
        "resolve",
        found.intentId,
        "--outcome",
        "not_executed",
        "--evidence",
        shell.write("seen.txt", "nothing\n"),
      ];
      const resolved = await shell.exo(args);
      expect(resolved.stdout).toContain(
        `resolved   ${found.intentId}   not_executed   by operator\nbundle     .exoarmur/bundles/`,
      );
      expect(resolved.code).toBe(0);
      const bundle = `.exoarmur/bundles/${found.intentId}.proof.json`;
      const verified = await shell.exo(["verify", bundle, "--trust", ".exoarmur/trust.json"]);
      expect(verified.code).toBe(0);
      const twice = await shell.exo([...args, "--json"]);
      expect(errorOf(twice)).toBe("EXO_NOT_IN_DOUBT");
      expect(twice.code).toBe(1);
    } finally {
      shell.remove();
    }
  });
});
