import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { diagnoseWitnesses } from "../../src/cli/diagnose-witnesses.js";
import type { Diagnosis } from "../../src/cli/diagnosis.js";
import { withHomeView } from "../../src/cli/home-view.js";
import { openCheckpoint, readCheckpoint } from "../../src/log/checkpoint.js";
import { parseProofFile } from "../../src/log/proof-file.js";
import { WitnessServer } from "../support/witness-server.js";
import { errorOf, jsonOf, near, Shell, statsIntent } from "./cli.js";
import { built } from "./support/built.js";

type TrustFile = { logs: { vkey: string }[]; witnesses: object; require?: string[] };

let shell: Shell;
let server: WitnessServer;

beforeEach(async () => {
  shell = new Shell();
  await shell.exo(["init"]);
  const { logs } = JSON.parse(shell.read(".exoarmur/trust.json")) as TrustFile;
  server = await new WitnessServer("w.example", logs[0]?.vkey ?? "").open();
  configure({ vkey: server.vkey, url: server.url, timeoutMs: 60_000 });
  shell.write("strict.json", shell.read(".exoarmur/trust.json"));
  shell.edit("strict.json", (trust) => ({
    ...trust,
    witnesses: { threshold: 1, vkeys: [server.vkey] },
    require: ["witnessed"],
  }));
});
afterEach(async () => {
  await server.close();
  shell.remove();
});

const configure = (...witnesses: object[]): void =>
  shell.edit(".exoarmur/config.json", (config) => ({ ...config, witnesses }));

describe("a home with a witness", () => {
  it("hands out, once it is cosigned, a bundle that passes where witnesses are required", async () => {
    const run = await shell.run(statsIntent);
    expect(run.code, run.stderr).toBe(0);
    const intentId = /bundles\/(01\w{24})/.exec(run.stdout)?.[1] ?? "";
    const first = await shell.exo(["verify", `.exoarmur/bundles/${intentId}.proof.json`, "--trust", "strict.json"]);
    expect(first.code).toBe(1);
    const proven = await shell.exo(["log", "prove", intentId, "-o", "bundle.json", "--json"]);
    expect(jsonOf(proven)).toMatchObject({ schema: "exoarmur.bundle-proof/v1", intentId, path: "bundle.json" });
    const strict = await shell.exo(["verify", "bundle.json", "--trust", "strict.json"]);
    expect(strict.stdout).toMatch(/^pass {3}witness quorum +1 of 1 witnesses$/m);
    expect(strict.code).toBe(0);

    const checkpoint = (await shell.exo(["log", "checkpoint"])).stdout;
    expect(checkpoint).toMatch(/^— w\.example /m);
    expect(parseProofFile((await shell.exo(["log", "prove", "0"])).stdout).checkpoint).toMatch(/^— w\.example /m);
    expect((await shell.exo(["log", "check"])).code).toBe(0);

    const { createRuntime } = built;
    const runtime = await createRuntime({ home: shell.path(".exoarmur") });
    const status = runtime.status(intentId);
    await runtime.close();
    expect(
      status.status === "executed" && Buffer.from(status.bundle.bytes()).equals(Buffer.from(shell.read("bundle.json"))),
    ).toBe(true);
  });

  it("that was put back to an older copy is refused, anchor or not", async () => {
    await shell.run(statsIntent);
    cpSync(shell.path(".exoarmur"), shell.path("older"), { recursive: true });
    await shell.run(statsIntent);
    rmSync(shell.path(".exoarmur"), { recursive: true });
    cpSync(shell.path("older"), shell.path(".exoarmur"), { recursive: true });
    const refused = await shell.run(statsIntent, ["--json"]);
    expect(refused.code, refused.stdout).toBe(1);
    expect(errorOf(refused)).toBe("EXO_STORE_ROLLED_BACK");
    expect(refused.stdout).toMatch(/log entries, the witness w\.example/);
  });

  it("signs nothing more once the witness knows a larger log", async () => {
    const runtime = await built.createRuntime({ home: shell.path(".exoarmur") });
    try {
      expect((await runtime.execute(statsIntent)).status).toBe("executed");
      server.misbehave = (_asked, response) => {
        response.writeHead(409, { "content-type": "text/x.tlog.size" }).end("1000000\n");
        return true;
      };
      const fault = async (): Promise<unknown> => {
        for (;;) await runtime.execute(statsIntent);
      };
      await expect(fault()).rejects.toMatchObject({
        code: "EXO_STORE_ROLLED_BACK",
        message: expect.stringContaining("knows 1000000"),
      });
      await expect(runtime.execute(statsIntent)).rejects.toMatchObject({ code: "EXO_STORE_ROLLED_BACK" });
    } finally {
      await runtime.close();
    }
  });

  it("works without its witness, and says so", async () => {
    server.misbehave = () => true;
    configure({ vkey: server.vkey, url: server.url, timeoutMs: 100 });
    const run = await shell.run(statsIntent);
    expect(run.code).toBe(0);
    expect(run.stderr).toMatch(/witness w\.example did not cosign: no answer in time/);
  });

  it("is told by doctor whether its witnesses answer and what they cosigned, and moves none on", async () => {
    const look = (): Promise<readonly Diagnosis[]> => withHomeView(shell.path(".exoarmur"), diagnoseWitnesses);
    const line = (state: string, message: string, code?: string): object[] => [
      { id: "witness w.example", state, message, ...(code === undefined ? {} : { code }) },
    ];
    const { url, vkey } = server;
    expect(await look()).toEqual(line("ok", `${url}, not asked: the log is empty`));
    configure();
    expect(await look()).toEqual([{ id: "witnesses", state: "ok", message: "none configured" }]);
    await shell.run(statsIntent);
    configure({ vkey, url, timeoutMs: 60_000 });
    const first = (await near(shell, ["log", "checkpoint"])).stdout;
    expect(await look()).toEqual(line("ok", `${url}, cosigned nothing of this log yet`));
    expect(server.last).toBeUndefined();
    await shell.run(statsIntent);
    const size = readCheckpoint((await near(shell, ["log", "checkpoint"])).stdout).size;
    const doctor = await shell.exo(["doctor"]);
    expect(doctor.stdout).toMatch(
      new RegExp(`^ok +witness w\\.example +http://\\S+, cosigned ${size} of ${size} entries$`, "m"),
    );
    server.last = undefined;
    await server.cosign(first, []);
    const behind = `${url}, cosigned ${readCheckpoint(first).size} of ${size} entries`;
    expect(await look()).toEqual(line("ok", behind));

    const answers: [number, string, string, string, string?][] = [
      [404, "", "warn", `${url} did not cosign: status 404; before, it cosigned ${size} of ${size} entries`],
      [409, `${size + 1}\n`, "fail", `${url} knows ${size + 1} entries, the log has ${size}`, "EXO_STORE_ROLLED_BACK"],
      [409, `${size}\n`, "fail", `${url} knows another tree of ${size} entries`, "EXO_LOG_FORK"],
    ];
    for (const [status, body, state, message, code] of answers) {
      server.misbehave = (_asked, response) => {
        response.writeHead(status).end(body);
        return true;
      };
      expect(await look()).toEqual(line(state, message, code));
    }
    await server.close();
    expect(await look()).toEqual(
      line("warn", expect.stringMatching(/did not cosign: .*ECONNREFUSED.*; before, it cosigned/) as unknown as string),
    );
  });

  it.each([
    ["http to elsewhere", { url: "http://witness.example/w" }],
    ["a URL with a password", { url: "https://a:b@witness.example/w" }],
    ["a query", { url: "https://witness.example/w?x=1" }],
    ["no URL", { url: "witness" }],
    ["a log's key", { vkey: "log" }],
    ["a further member", { colour: "red" }],
  ])("is refused with %s", async (_name, wrong) => {
    const { logs } = JSON.parse(shell.read(".exoarmur/trust.json")) as TrustFile;
    const given = "vkey" in wrong ? { vkey: logs[0]?.vkey } : wrong;
    configure({ vkey: server.vkey, url: server.url, ...given });
    const refused = await shell.run(statsIntent, ["--json"]);
    expect(errorOf(refused)).toBe("EXO_SCHEMA");
    expect(refused.stdout).toContain("/witnesses/0");
  });

  it("is refused with one witness under two names", async () => {
    const again = new WitnessServer("other.example", server.vkey);
    configure({ vkey: server.vkey, url: server.url }, { vkey: again.vkey, url: server.url });
    expect(errorOf(await shell.run(statsIntent, ["--json"]))).toBe("EXO_SCHEMA");
  });
});

describe("a home with a witness that log witness --serve runs", () => {
  let children: ChildProcess[];

  beforeEach(async () => {
    children = [];
    await near(shell, ["keys", "new", "--role", "witness", "--id", "witness.example/w1", "-o", "witness.key"]);
  });
  afterEach(async () => {
    for (const child of children) await stop(child, "SIGKILL");
  });

  type Serving = { readonly child: ChildProcess; readonly url: string; readonly vkey: string; readonly logs: unknown };

  /** Starts it, on the port it had before if there is one, and has the home's checkpoints sent to it. */
  async function serve(...more: string[]): Promise<Serving> {
    const args = ["log", "witness", "--serve", "--key", "witness.key", "--state", "states", ...more];
    const child = shell.start([...args, "--trust", ".exoarmur/trust.json", "--json"]);
    children.push(child);
    const said = await new Promise<string>((resolve, reject) => {
      let text = "";
      child.stdout?.setEncoding("utf8").on("data", (part: string) => {
        text += part;
        if (text.endsWith("}\n")) resolve(text);
      });
      let why = "";
      child.stderr?.setEncoding("utf8").on("data", (part: string) => (why += part));
      child.once("close", (code) => reject(new Error(`it ended with ${code}: ${text}${why}`)));
    });
    const { url, vkey, logs } = JSON.parse(said) as Omit<Serving, "child">;
    configure({ vkey, url, timeoutMs: 60_000 });
    return { child, url, vkey, logs };
  }

  async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const ended = once(child, "close");
    child.kill(signal);
    await ended;
    return child.exitCode;
  }

  it("is cosigned, and after a SIGKILL the witness still refuses a rollback and a fork", async () => {
    const first = await serve("--first");
    const { vkey } = first;
    const port = new URL(first.url).port;
    expect(await shell.run(statsIntent)).toMatchObject({ code: 0, stderr: "" });
    const cosigned = (await near(shell, ["log", "checkpoint"])).stdout;
    expect(openCheckpoint(cosigned, [vkey]).signatures.map(({ name }) => name)).toEqual(["witness.example/w1"]);
    cpSync(shell.path(".exoarmur"), shell.path("older"), { recursive: true });
    expect(await shell.run(statsIntent)).toMatchObject({ code: 0, stderr: "" });
    const { size } = openCheckpoint((await near(shell, ["log", "checkpoint"])).stdout, [vkey]);

    await stop(first.child, "SIGKILL");
    const again = await serve("--port", port);
    expect(again.logs).toEqual([{ origin: expect.stringMatching(/^exoarmur\/local\//) as unknown, size }]);
    expect(again.url).toBe(first.url);

    // The store and its anchor are put back together: only the witness knows.
    rmSync(shell.path(".exoarmur"), { recursive: true });
    cpSync(shell.path("older"), shell.path(".exoarmur"), { recursive: true });
    const rolledBack = await shell.run(statsIntent, ["--json"]);
    expect([rolledBack.code, errorOf(rolledBack)]).toEqual([1, "EXO_STORE_ROLLED_BACK"]);

    // Without the witness the older copy goes on to another tree of more entries.
    configure();
    for (const actor of ["fork-1", "fork-2"]) expect((await shell.run({ ...statsIntent, actor })).code).toBe(0);
    configure({ vkey, url: again.url, timeoutMs: 60_000 });
    const forked = await shell.run(statsIntent, ["--json"]);
    expect([forked.code, errorOf(forked)]).toEqual([1, "EXO_LOG_FORK"]);

    expect(await stop(again.child, "SIGTERM")).toBe(0);
    expect(shell.list("states")).toEqual([expect.stringMatching(/^[0-9a-f]{64}\.checkpoint$/)]);
    expect(openCheckpoint(shell.read(join("states", shell.list("states")[0] ?? "")), [vkey]).size).toBe(size);
  });

  it("is not served without what it needs, or with what it does not take", async () => {
    const refusals: [string[], number, string][] = [
      [[], 1, "EXO_FILE"],
      [["checkpoint.txt", "--first"], 2, "EXO_USAGE"],
      [["--first", "--proof", "proof.txt"], 2, "EXO_USAGE"],
      [["--first", "--port", "65536"], 2, "EXO_USAGE"],
      [["--first", "--host", "192.0.2.1"], 1, "EXO_LISTEN"],
      [["--first", "--key", ".exoarmur/keys/log.key"], 1, "EXO_KEY"],
    ];
    for (const [more, exit, code] of refusals) {
      const args = ["log", "witness", "--serve", "--key", "witness.key", "--state", "states", ...more];
      const ended = await near(shell, [...args, "--trust", ".exoarmur/trust.json", "--json"]);
      expect([more, ended.code, errorOf(ended)]).toEqual([more, exit, code]);
    }
    const args = ["log", "witness", "--key", "witness.key", "--state", "states", "--json"];
    for (const more of [["--serve", "--first"], [], ["old.txt", "--port", "1"]]) {
      const ended = await near(shell, [...args, ...more]);
      expect([more, ended.code, errorOf(ended)]).toEqual([more, 2, "EXO_USAGE"]);
    }
  });
});
