import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { KeyFile } from "../../src/contracts/trust.js";
import type { Runtime } from "../../src/runtime.js";
import { errorOf, jsonOf, ROOT, Shell, statsIntent } from "./cli.js";
import { built } from "./support/built.js";
import { auditProblems, withDeadHome } from "./support/dead-home.js";

describe("a home whose keys a signer program holds", () => {
  let made: Shell;
  let shell: Shell;
  const configure = (signers: object): void =>
    shell.edit(".exoarmur/config.json", (config) => ({ ...config, signers }));
  const example = (role: string): { command: string[] } => ({
    command: [process.execPath, "signer.mjs", `private/${role}.key`],
  });
  const openRuntime = async (): Promise<Runtime> => await built.createRuntime({ home: shell.path(".exoarmur") });

  beforeAll(async () => {
    made = new Shell();
    await made.exo(["init"]);
    mkdirSync(made.path("private"), { mode: 0o700 });
    for (const role of ["runtime", "log"]) {
      renameSync(made.path(`.exoarmur/keys/${role}.key`), made.path(`private/${role}.key`));
    }
    cpSync(join(ROOT, "examples", "signer.mjs"), made.path("signer.mjs"));
  });
  afterAll(() => made.remove());
  beforeEach(() => {
    shell = new Shell(made);
  });
  afterEach(() => shell.remove());

  it("runs, verifies pinned and exports with examples/signer.mjs, and no private key in the home", async () => {
    configure({ runtime: example("runtime"), log: example("log") });
    const run = await shell.run(statsIntent, ["--json"]);
    expect([run.code, run.stderr]).toEqual([0, ""]);
    const { bundle } = jsonOf(run) as { bundle: { path: string } };
    const verified = await shell.exo(["verify", bundle.path, "--trust", ".exoarmur/trust.json", "--json"]);
    expect(jsonOf(verified)).toMatchObject({ result: "pass" });
    expect(existsSync(shell.path(".exoarmur/keys/runtime.key"))).toBe(false);
    const { publicKey } = JSON.parse(shell.read("private/runtime.key")) as KeyFile;
    expect((await shell.exo(["keys", "export", "runtime", "--as", "raw"])).stdout).toBe(`${publicKey}\n`);
    const listed = jsonOf(await shell.exo(["keys", "list", "--json"]));
    expect(listed["signers"]).toEqual(["runtime", "log"].map((role) => ({ role, program: process.execPath })));
    const doctor = await shell.exo(["doctor", "--json"]);
    const { checks } = jsonOf(doctor) as { checks: { id: string; message: string }[] };
    expect(checks.find(({ id }) => id === "keys")?.message).toMatch(
      /^runtime, log, approver, operator, policy-author: /,
    );
    await withDeadHome(shell.path(".exoarmur"), (dead) => expect(auditProblems(dead.audit())).toEqual([]));
  });

  it("does not open without them, with another key, or with a program that does not start", async () => {
    const { publicKey } = JSON.parse(shell.read(".exoarmur/keys/approver.key")) as KeyFile;
    const log = example("log");
    const refusals: [object, string, RegExp][] = [
      [{}, "EXO_HOME_DAMAGED", /runtime\.key does not exist/],
      [{ log, runtime: example("log") }, "EXO_TRUST", /signer of the role runtime: .* does not name this key/],
      [{ log, runtime: { ...example("runtime"), publicKey } }, "EXO_SIGNER", /role runtime has another key/],
      [{ log, runtime: { command: ["./no-such-program"] } }, "EXO_SIGNER", /could not be started: ENOENT/],
      [{ log, runtime: { command: [] } }, "EXO_SCHEMA", /\/signers\/runtime\/command/],
      [{ log, runtime: { ...example("runtime"), env: ["EXOARMUR_VAULT_PASSPHRASE"] } }, "EXO_SCHEMA", /\/env/],
      [{ approver: example("runtime") }, "EXO_SCHEMA", /approver/],
    ];
    for (const [signers, code, message] of refusals) {
      configure(signers);
      await expect(openRuntime(), JSON.stringify(signers)).rejects.toMatchObject({
        code,
        message: expect.stringMatching(message) as unknown,
      });
    }
    chmodSync(shell.path("private/runtime.key"), 0o644);
    configure({ log, runtime: example("runtime") });
    const ended = await shell.run(statsIntent, ["--json"]);
    expect([ended.code, errorOf(ended)]).toEqual([1, "EXO_SIGNER"]);
    expect(ended.stderr).toContain("private/runtime.key can be used by others");
  });

  it("a program that is killed costs one operation; the next starts it again, and the log is whole", async () => {
    const program = `import { appendFileSync } from "node:fs";
appendFileSync("pids", process.pid + "\\n");
process.argv.splice(1, 1);
await import("./signer.mjs");
`;
    shell.write("counted.mjs", program);
    configure({
      log: example("log"),
      runtime: { command: [process.execPath, "counted.mjs", "-", "private/runtime.key"] },
    });
    const pids = (): number[] => readFileSync(shell.path("pids"), "utf8").trim().split("\n").map(Number);
    const runtime = await openRuntime();
    try {
      expect((await runtime.execute(statsIntent)).status).toBe("executed");
      process.kill(pids()[0] ?? 0, "SIGKILL");
      // Seen before the next question or amid it: that one is refused, or the program was started in time for it.
      const next = await runtime.execute(statsIntent).catch((error: unknown) => (error as { code: string }).code);
      if (typeof next === "string") expect(next).toBe("EXO_SIGNER");
      expect((await runtime.execute(statsIntent)).status).toBe("executed");
      expect(pids()).toHaveLength(2);
    } finally {
      await runtime.close();
    }
    for (const pid of pids()) expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
    await withDeadHome(shell.path(".exoarmur"), (dead) => expect(auditProblems(dead.audit())).toEqual([]));
  });
});
