import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { jsonOf, NearShell, removeIntent, type Shell, statsIntent } from "./cli.js";
import { flipBits, offsetsOf } from "./support/lmdb-bytes.js";

describe("replay --all", () => {
  let shell: Shell;
  beforeAll(async () => {
    shell = new NearShell();
    await shell.exo(["init"]);
  });
  afterAll(() => shell.remove());

  it("of a home in which nothing is recorded has nothing to contradict", async () => {
    const { code, stdout } = await shell.exo(["replay", "--all"]);
    expect([code, stdout]).toEqual([
      0,
      "success   0 correlations   0 intents, 0 executions   0 replayed to the same bytes\n",
    ]);
  });

  it("replays every correlation, the system's among them", async () => {
    await shell.run({ ...statsIntent, correlationId: "one" });
    await shell.run({ ...statsIntent, correlationId: "two" });
    await shell.run({ actor: "me", action: "no.such", parameters: {}, target: "x", correlationId: "three" });
    const { code, stdout, stderr } = await shell.exo(["replay", "--all", "--jobs", "2"]);
    expect(stderr).toBe("");
    expect(stdout).toBe("success   4 correlations   3 intents, 2 executions   4 replayed to the same bytes\n");
    expect(code).toBe(0);
    const json = jsonOf(await shell.exo(["replay", "--all", "--json"]));
    expect(json).toMatchObject({
      schema: "exoarmur.replay-batch/v1",
      result: "success",
      trustMode: "pinned",
      counts: { success: 4, partial: 0, failure: 0, no_audit_records: 0 },
    });
    const rows = json["correlations"] as { correlationId: string; result: string; divergence: unknown }[];
    expect(rows.map(({ correlationId }) => correlationId)).toEqual(["one", "system", "three", "two"]);
    expect(rows.every(({ divergence }) => divergence === null)).toBe(true);
  });

  it("is partial while an intent waits, and says which", async () => {
    await shell.run({ ...removeIntent, correlationId: "waiting" });
    const { code, stdout } = await shell.exo(["replay", "--all"]);
    expect(stdout).toMatch(/^partial {3}waiting {3}intent .* has not ended/);
    expect(stdout).toMatch(
      /\n\npartial {3}5 correlations {3}4 intents, 2 executions {3}4 replayed to the same bytes, 1 /,
    );
    expect(code).toBe(6);
  });

  it("under a stranger's trust file fails", async () => {
    await shell.exo(["init", "other"]);
    const { code, stdout } = await shell.exo(["replay", "--all", "--trust", "other/trust.json"]);
    expect(stdout).toMatch(/^failure {3}one {3,}structure, signature: signature_mismatch: .*EXO_TRUST/);
    expect(code).toBe(1);
  });

  it.each([
    [["replay"], "replay takes a bundle, a correlation id, or --all"],
    [["replay", "one", "--all"], "replay takes a bundle, a correlation id, or --all"],
    [["replay", "--all", "--jobs", "0"], "--jobs expects a number from 1 to 64"],
    [["replay", "--all", "--jobs", "1e3"], "--jobs expects a number from 1 to 64"],
  ])("refuses %j", async (args, message) => {
    const { code, stderr, stdout } = await shell.exo(args);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(message);
  });

  it("finds what was changed in the store, and the others still replay", async () => {
    const file = shell.path(".exoarmur/data/data.mdb");
    flipBits(
      file,
      offsetsOf(file, '"correlationId":"two"').map((at) => at + '"correlationId":"tw'.length),
    );
    const { code, stdout } = await shell.exo(["replay", "--all"]);
    // The chain's head was changed with it, so the correlation goes by the name that now stands there, and has no events.
    expect(stdout).toMatch(/^no_audit_records {3}twn {3,}structure, records: missing_events: /);
    expect(stdout).toContain("3 replayed to the same bytes");
    expect(code).toBe(1);
  });
});
