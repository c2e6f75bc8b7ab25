import { copyFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ending, errorOf, jsonOf, ROOT, Shell } from "./cli.js";
import { crashTemplate } from "./support/crash-home.js";
import { playCrashRounds } from "./support/crash-rounds.js";
import { auditProblems, withDeadHome } from "./support/dead-home.js";

describe("a process that is killed at any instant", () => {
  it("loses nothing it acknowledged and repeats nothing it began, over 20 kills of 16 writers", {
    timeout: 240_000,
  }, async () => {
    const counts = await playCrashRounds({ seed: 20_260_101, to: 20 });
    expect(counts.rounds).toBe(20);
    expect(counts.told).toBeGreaterThan(20);
    for (const name of ["inDoubt", "spent", "shipped", "shippedInDoubt"] as const) {
      expect(counts[name], name).toBeGreaterThan(0);
    }
  });
});

describe("a process that is killed between start and outcome", () => {
  const intent = { actor: "me", action: "demo.spin", parameters: {}, idempotencyKey: "once" };
  let template: Shell;

  beforeAll(async () => {
    template = await crashTemplate();
    copyFileSync(`${ROOT}/plugins/spin.wasm`, template.path(".exoarmur/plugins/spin.wasm"));
    template.write(".exoarmur/plugins/spin.json", spinManifest);
    template.edit(".exoarmur/policy.json", (policy) => ({
      ...policy,
      rules: [
        { id: "ask", match: { action: "demo.spin", actor: { id: "asker" } }, verdict: "require_approval" },
        { id: "spin", match: { action: "demo.spin" }, verdict: "allow" },
        ...(policy["rules"] as object[]),
      ],
    }));
  });
  afterAll(() => template.remove());

  /** Runs a command until the start of its action is on disk, and kills it. Returns the intent's id. */
  const killWhenStarted = async (shell: Shell, args: readonly string[], input = ""): Promise<string> => {
    const child = shell.start(args, { input });
    const ended = ending(child);
    let intentId: string | undefined;
    while (intentId === undefined) {
      await sleep(20);
      expect(child.exitCode, "ended before it was killed").toBe(null);
      intentId = await withDeadHome(
        shell.path(".exoarmur"),
        ({ intents }) => [...intents.values()].find(({ record }) => record.state === "started")?.record.intentId,
      ).catch(() => undefined);
    }
    child.kill("SIGKILL");
    expect((await ended).code).toBe(null);
    return intentId;
  };

  it("is in doubt, never runs again by itself, and is closed by an operator's evidence", async () => {
    const shell = new Shell(template);
    try {
      const intentId = await killWhenStarted(shell, ["run", "-"], JSON.stringify(intent));
      const retried = await shell.run(intent);
      expect(retried.stdout).toContain(`in doubt       ${intentId}   `);
      expect(retried.code).toBe(7);
      const listed = await shell.exo(["log", "check"]);
      expect(listed.stdout).toMatch(
        new RegExp(`^open +${intentId} {3}in doubt {3}demo.spin {3}started 20\\S+Z {3}because interrupted$`, "m"),
      );
      expect(listed.stdout).toMatch(new RegExp(`^ {2}close +exoarmur resolve ${intentId} --outcome `, "m"));
      expect(listed.code).toBe(0);
      const evidence = shell.write("evidence.txt", "the process table shows nothing\n");
      const resolve = ["resolve", intentId, "--outcome", "not_executed", "--evidence", evidence];
      const resolved = await shell.exo([...resolve, "--json"]);
      expect(jsonOf(resolved)).toMatchObject({ intentId, outcome: "not_executed" });
      expect(resolved.code).toBe(0);
      const bundle = `.exoarmur/bundles/${intentId}.proof.json`;
      const verified = await shell.exo(["verify", bundle, "--trust", ".exoarmur/trust.json", "--json"]);
      expect(jsonOf(verified)).toMatchObject({ result: "pass", trustMode: "pinned" });
      expect(verified.code).toBe(0);
      expect((await shell.exo(["log", "check"])).code).toBe(0);
      const twice = await shell.exo([...resolve, "--json"]);
      expect(errorOf(twice)).toBe("EXO_NOT_IN_DOUBT");
      expect(twice.code).toBe(1);
      // Closed, and still no second run under the same key.
      expect((await shell.run(intent)).code).toBe(7);
    } finally {
      shell.remove();
    }
  });

  it("has spent its approval, even though the grant is still in the inbox", async () => {
    const shell = new Shell(template);
    try {
      const pending = jsonOf(await shell.run({ ...intent, actor: "asker" }, ["--json"]));
      expect(pending["status"]).toBe("approval_pending");
      const approve = ["approvals", "approve", String(pending["intentId"])];
      const intentId = await killWhenStarted(shell, approve);
      expect(intentId).toBe(pending["intentId"]);
      const orders = shell.list(".exoarmur/inbox").filter((name) => name.endsWith(".order.json"));
      expect(orders).toHaveLength(1);
      const again = await shell.exo([...approve, "--json"]);
      expect(errorOf(again)).toBe("EXO_APPROVAL_SPENT");
      expect(again.code).toBe(1);
      const result = orders[0]?.replace(".order.", ".result.") ?? "";
      expect(JSON.parse(shell.read(`.exoarmur/inbox/${result}`))).toMatchObject({
        ok: false,
        code: "EXO_APPROVAL_SPENT",
      });
      await withDeadHome(shell.path(".exoarmur"), (dead) => {
        expect(auditProblems(dead.audit())).toEqual([]);
        const { record } = dead.intents.get("once") ?? expect.fail("the intent is gone");
        expect(record.events.map(({ eventType }) => eventType).slice(-2)).toEqual([
          "execution_started",
          "execution_in_doubt",
        ]);
      });
    } finally {
      shell.remove();
    }
  });
});

const spinManifest = JSON.stringify({
  schema: "exoarmur.executor/v1",
  name: "spin",
  version: "1.0.0",
  functions: [{ name: "spin", action: "demo.spin", effects: "none" }],
  limits: { fuel: 9_000_000_000_000_000, timeoutMs: 60_000 },
});
