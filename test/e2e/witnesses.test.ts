import { cpSync, rmSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseProofFile } from "../../src/log/proof-file.js";
import { WitnessServer } from "../support/witness-server.js";
import { errorOf, jsonOf, Shell, statsIntent } from "./cli.js";
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
