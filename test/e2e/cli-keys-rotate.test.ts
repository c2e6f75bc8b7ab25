import { mkdirSync, rmSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { KeyFile } from "../../src/contracts/trust.js";
import { systemEntropy } from "../../src/crypto/random.js";
import { acquireOwner } from "../../src/home/owner-lock.js";
import { homePaths } from "../../src/home/paths.js";
import { systemClock } from "../../src/runtime/system.js";

import { errorOf, jsonOf, NearShell, removeIntent, type Shell, statsIntent } from "./cli.js";

const roles = ["runtime", "policy-author", "approver", "operator", "publisher", "log"] as const;

/** One home through the life of its keys, in order: every test goes on from the one before. */
describe("keys rotate and keys revoke", () => {
  let shell: Shell;
  const keyId = (name: string): string => (JSON.parse(shell.read(`.exoarmur/keys/${name}.key`)) as KeyFile).keyId;
  const run = async (out: string): Promise<void> => {
    const ended = await shell.run(statsIntent, ["--out", out]);
    expect([ended.stderr, ended.code]).toEqual(["", 0]);
  };
  const verdict = async (file: string): Promise<[number | null, string]> => {
    const { code, stdout } = await shell.exo(["verify", file, "--trust", ".exoarmur/trust.json"]);
    return [code, stdout];
  };

  beforeAll(async () => {
    shell = new NearShell();
    await shell.exo(["init"]);
    const publisher =
      "keys new --role publisher --id acme -o .exoarmur/keys/publisher.key --trust .exoarmur/trust.json";
    await shell.exo(publisher.split(" "));
    await run("old.proof.json");
    shell.write("old.checkpoint", (await shell.exo(["log", "checkpoint"])).stdout);
  });
  afterAll(() => shell.remove());

  it("every role's key can be replaced, and each change is in the log", async () => {
    for (const role of roles) {
      const ended = await shell.exo(["keys", "rotate", role, "--json"]);
      expect(jsonOf(ended)).toMatchObject({ schema: "exoarmur.key-rotated/v1", role, recorded: true });
      expect(ended.code).toBe(0);
    }
    const trust = await shell.exo(["keys", "trust", "--json"]);
    const { keys, logs } = jsonOf(trust) as { keys: { role: string; until: number | null }[]; logs: unknown[] };
    for (const role of roles) {
      const ends = keys.filter((key) => key.role === role).map(({ until }) => until === null);
      expect([role, ends]).toEqual([role, [false, true]]);
    }
    expect(logs).toHaveLength(2);
  });

  it("bundles of before and after verify under the same trust file, and the log goes on from the old checkpoint", async () => {
    await run("new.proof.json");
    expect((await verdict("old.proof.json"))[0]).toBe(0);
    expect((await verdict("new.proof.json"))[0]).toBe(0);
    const check = await shell.exo(["log", "check", "--since", "old.checkpoint"]);
    expect([check.stderr, check.code]).toEqual(["", 0]);
    const replayed = await shell.exo(["replay", "--all"]);
    expect([replayed.stderr, replayed.code]).toEqual(["", 0]);
    const pending = jsonOf(await shell.run(removeIntent, ["--json"]));
    const approved = await shell.exo(["approvals", "approve", String(pending["intentId"]), "--yes"]);
    expect([approved.stderr, approved.code]).toEqual(["", 0]);
    shell.write("data/orders.csv", "order,region,amount\n1,north,1\n");
  });

  it("a request that waits while its approver's key is rotated has to be asked again, and says so", async () => {
    const before = keyId("approver");
    const waiting = jsonOf(await shell.run({ ...removeIntent, actor: "waiting" }, ["--json"]));
    const id = String(waiting["intentId"]);
    expect(jsonOf(await shell.exo(["approvals", "show", id, "--json"]))["outdated"]).toBeNull();
    await shell.exo(["keys", "rotate", "approver"]);
    const shown = await shell.exo(["approvals", "show", id]);
    expect(shown.stdout).toMatch(
      new RegExp(`^ask again +EXO_APPROVAL_ROSTER: .*approver's ${before}.*give the intent anew$`, "m"),
    );
    expect(shown.stdout).toMatch(new RegExp(`^may decide +approver +approver +${before} \\(no longer counts\\)$`, "m"));
    const outdated = {
      code: "EXO_APPROVAL_ROSTER",
      message: expect.stringContaining("give the intent anew") as unknown,
    };
    expect(jsonOf(await shell.exo(["approvals", "show", id, "--json"]))).toMatchObject({
      status: "pending",
      outdated,
    });
    const approved = await shell.exo(["approvals", "approve", id, "--yes", "--json"]);
    expect([approved.code, errorOf(approved)]).toEqual([1, "EXO_APPROVAL_ROSTER"]);
    const denied = await shell.exo(["approvals", "deny", id, "--reason", "asked again", "--yes", "--json"]);
    expect([denied.code, errorOf(denied)]).toEqual([1, "EXO_APPROVAL_APPROVER"]);
    expect(denied.stdout).toContain(`the request was made for ${before}`);
    const again = jsonOf(await shell.run({ ...removeIntent, actor: "waiting" }, ["--json"]));
    const done = await shell.exo(["approvals", "approve", String(again["intentId"]), "--yes"]);
    expect([done.stderr, done.code]).toEqual(["", 0]);
    shell.write("data/orders.csv", "order,region,amount\n1,north,1\n");
  });

  it("a revoked runtime key signs nothing more, and what it signed from then on fails", async () => {
    const stolen = keyId("runtime");
    const revoked = await shell.exo(["keys", "revoke", stolen, "--from", "9", "--reason", "laptop stolen"]);
    expect(revoked.stdout).toContain(`revoked            ${stolen}   nothing it signs at log index 9 or later counts`);
    expect(revoked.stdout).toMatch(/^reason +laptop stolen$/m);
    expect(revoked.stdout).toMatch(/not recorded yet +the runtime does not start: EXO_TRUST: /);
    const refused = await shell.run(statsIntent, ["--json"]);
    expect([errorOf(refused), refused.code]).toEqual(["EXO_TRUST", 1]);
    expect(refused.stdout).toContain("make the next one: exoarmur keys rotate runtime");
    expect((await verdict("old.proof.json"))[0]).toBe(0);
    const [code, said] = await verdict("new.proof.json");
    expect(code).toBe(1);
    expect(said).toMatch(/^fail {3}envelope signature +EXO_TRUST: /m);
  });

  it("after a rotation it runs again, and the revocation is recorded too", async () => {
    const rotated = await shell.exo(["keys", "rotate", "runtime"]);
    expect(rotated.stdout).toMatch(/recorded +in the log\n$/);
    await run("newest.proof.json");
    expect((await verdict("newest.proof.json"))[0]).toBe(0);
    const events = shell.read(".exoarmur/data/data.mdb");
    expect(events.match(/"key_revoked"/g)?.length).toBeGreaterThan(roles.length);
    expect(events).toMatch(/"reason":"laptop stolen","role":"runtime","until":9/);
    expect((await shell.exo(["keys", "trust"])).stdout).toMatch(/^runtime .* until 9 +ended: laptop stolen$/m);
  });

  it.each([
    [["keys", "rotate", "witness"], "EXO_FILE", 1],
    [["keys", "rotate", "old.checkpoint"], "EXO_KEY_MODE", 1],
    [["keys", "revoke", "runtime"], "EXO_USAGE", 2],
    [["keys", "revoke", "0".repeat(32)], "EXO_TRUST", 1],
    [["keys", "revoke", "0".repeat(32), "--from", "-1"], "EXO_USAGE", 2],
    [["keys", "revoke", "0".repeat(32), "--role", "king"], "EXO_USAGE", 2],
    [["keys", "revoke", "0".repeat(32), "--reason", ""], "EXO_USAGE", 2],
  ])("%j is refused", async (args, code, exit) => {
    const before = shell.read(".exoarmur/trust.json");
    const ended = await shell.exo([...args, "--json"]);
    expect([errorOf(ended), ended.code]).toEqual([code, exit]);
    expect(shell.read(".exoarmur/trust.json")).toBe(before);
  });

  it("a log's key, which has no bounds, an index beyond the log, and a home that has an owner are refused", async () => {
    const before = shell.read(".exoarmur/trust.json");
    const lock = await acquireOwner(homePaths(shell.path(".exoarmur")), {
      pid: process.pid,
      clock: systemClock,
      entropy: systemEntropy,
    });
    const cases: [readonly string[], string, RegExp][] = [
      [
        ["revoke", keyId("log")],
        "EXO_TRUST",
        /is a log's key, .*: exoarmur keys rotate log, then take the old line out/,
      ],
      [["revoke", keyId("runtime"), "--from", "9999"], "EXO_USAGE", /--from: the log has \d+ entries, .* got 9999/],
      [["rotate", "runtime"], "EXO_HOME_LOCKED", new RegExp(`process ${process.pid}`)],
    ];
    try {
      for (const [args, code, message] of cases) {
        const ended = await shell.exo(["keys", ...args, "--json"]);
        expect([errorOf(ended), ended.stdout]).toEqual([code, expect.stringMatching(message)]);
      }
    } finally {
      await lock.release();
    }
    expect(shell.read(".exoarmur/trust.json")).toBe(before);
    expect(shell.list(".exoarmur/keys").filter((name) => name.endsWith(".next"))).toEqual([]);
  });

  it("what a stolen key signs in a copy of the home fails from the rotation on", async () => {
    const thief = new NearShell(shell);
    try {
      await shell.exo(["keys", "rotate", "runtime"]);
      await thief.run(statsIntent, ["--out", "stolen.proof.json"]);
      expect((await verdict("newest.proof.json"))[0]).toBe(0);
      const [code, said] = await verdict(thief.path("stolen.proof.json"));
      expect([code, said]).toEqual([1, expect.stringMatching(/^fail {3}envelope signature +EXO_TRUST: /m)]);
    } finally {
      thief.remove();
    }
  });

  it("a log key that ended in the trust file signs nothing more", async () => {
    const made = new NearShell(shell);
    try {
      const store = made.read(".exoarmur/anchor");
      await made.exo(["keys", "trust", "end", keyId("log"), "--at", "9"]);
      const refused = await made.run(statsIntent, ["--json"]);
      expect([errorOf(refused), refused.code]).toEqual(["EXO_TRUST", 1]);
      expect(refused.stdout).toMatch(/the log key [0-9a-f]{32} counts .*until 9, .*: exoarmur keys rotate log/);
      expect((await made.exo(["log", "checkpoint"])).stdout).toBe(store);
    } finally {
      made.remove();
    }
  });

  it("over a store that was lost nothing is rotated or revoked: an index would mean nothing", async () => {
    const before = shell.read(".exoarmur/trust.json");
    rmSync(shell.path(".exoarmur/data"), { recursive: true });
    mkdirSync(shell.path(".exoarmur/data"));
    for (const args of [
      ["rotate", "approver"],
      ["revoke", keyId("approver")],
    ]) {
      const ended = await shell.exo(["keys", ...args, "--json"]);
      expect([errorOf(ended), ended.code]).toEqual(["EXO_STORE_ROLLED_BACK", 1]);
    }
    expect(shell.read(".exoarmur/trust.json")).toBe(before);
  });
});
