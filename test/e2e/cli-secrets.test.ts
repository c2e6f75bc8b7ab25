import { spawn } from "node:child_process";
import { chmodSync, existsSync, readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { NearShell, ROOT, type Shell } from "./cli.js";

const origin = { scheme: "https", host: "api.example.com", port: 443 };
const bound = {
  TOKEN: { from: "vault", origin, header: "authorization" },
  PIN: { from: "env", origin: { scheme: "http", host: "localhost", port: 8080 }, body: "/login/pin" },
};
const value = "s3cr3t-value-1";

let fresh: Shell;
let shell: Shell;
beforeAll(async () => {
  fresh = new NearShell();
  await fresh.exo(["init"]);
});
beforeEach(() => {
  shell = new NearShell(fresh);
});
afterEach(() => shell.remove());
afterAll(() => fresh.remove());

const configure = (secrets: unknown, grants?: unknown): void =>
  shell.edit(".exoarmur/config.json", (config) => ({
    ...config,
    secrets,
    ...(grants === undefined ? {} : { grants }),
  }));

describe("exoarmur secrets", () => {
  test("set, list and remove: a value goes in by standard input and never comes out", async () => {
    configure(bound);
    const set = await shell.exo(["secrets", "set", "TOKEN"], { input: `${value}\n` });
    expect(set).toEqual({ code: 0, stdout: "set        TOKEN   .exoarmur/vault.age\n", stderr: "" });
    const extra = await shell.exo(["secrets", "set", "EXTRA", "--json"], { input: "no line break" });
    expect(JSON.parse(extra.stdout)).toEqual({ schema: "exoarmur.secrets/v1", name: "EXTRA", set: true, bound: false });
    const list = await shell.exo(["secrets", "list"], { env: { EXOARMUR_SECRET_PIN: "12345678" } });
    expect(list.stdout).toBe(
      "EXTRA   vault   value set   bound to nothing\n" +
        "PIN     env     value set   http://localhost:8080, string /login/pin of a JSON body\n" +
        "TOKEN   vault   value set   https://api.example.com:443, header authorization\n",
    );
    const json = await shell.exo(["secrets", "list", "--json"]);
    expect(JSON.parse(json.stdout)).toEqual({
      schema: "exoarmur.secrets/v1",
      secrets: [
        { name: "EXTRA", from: "vault", hasValue: true },
        { name: "PIN", ...bound.PIN, hasValue: false },
        { name: "TOKEN", ...bound.TOKEN, hasValue: true },
      ],
    });
    expect((await shell.exo(["secrets", "remove", "TOKEN"])).code).toBe(0);
    const again = await shell.exo(["secrets", "remove", "TOKEN"]);
    expect(again).toMatchObject({ code: 1, stdout: "absent     the vault holds no TOKEN\n" });
    for (const { stdout, stderr } of [set, extra, list, json]) expect(stdout + stderr).not.toContain("s3cr3t");
  });

  // Whoever has no `script` to make a terminal installs bsdutils.
  const hasScript = process.platform === "linux" && existsSync("/usr/bin/script");
  test.skipIf(!hasScript)(
    "set on a terminal asks, and shows nothing of the answer (needs script of bsdutils)",
    async () => {
      const child = spawn(
        "script",
        ["-qec", `${process.execPath} ${ROOT}/dist/cli/main.js secrets set TOKEN`, "/dev/null"],
        {
          cwd: shell.cwd,
        },
      );
      let shown = "";
      let answered = false;
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        shown += text;
        if (answered || !shown.includes("(not shown): ")) return;
        answered = true;
        child.stdin.write(`${value}\r`);
      });
      expect(await new Promise((resolve) => child.on("close", resolve))).toBe(0);
      expect(shown).toContain("value of TOKEN (not shown): ");
      expect(shown).toContain("vault.age");
      expect(shown).not.toContain(value.slice(0, 4));
      expect((await shell.exo(["secrets", "list"])).stdout).toBe("TOKEN   vault   value set   bound to nothing\n");
    },
  );

  test("set takes off one line break, and no more", async () => {
    for (const [input, bytes] of [
      ["12345678", 8],
      ["12345678\r\n", 8],
      ["1234567\n", 7],
      ["1234567\n\n", 8],
    ] as const) {
      const ended = await shell.exo(["secrets", "set", "A"], { input });
      expect(ended.code, input).toBe(bytes === 8 ? 0 : 1);
      if (bytes === 7) expect(ended.stderr).toContain("EXO_SECRET_VALUE: the secret A has 7 bytes");
    }
  });

  test.each([
    ["a value behind the name", ["secrets", "set", "TOKEN", value], "", 2, "EXO_USAGE"],
    ["a value for a name", ["secrets", "set", `=${value}`], "", 2, "EXO_USAGE: expected a name such as API_KEY"],
    ["a value that is too long", ["secrets", "set", "TOKEN"], "x".repeat(4097), 1, "EXO_SECRET_VALUE"],
    [
      "a value of two lines for a header",
      ["secrets", "set", "TOKEN"],
      `${value}\r\nx-more: 1`,
      1,
      "is bound to a header",
    ],
    ["a name the environment has", ["secrets", "set", "PIN"], value, 2, "takes PIN from the environment"],
  ])("%s is refused and not repeated", async (_, args, input, code, message) => {
    configure(bound);
    const ended = await shell.exo(args, { input });
    expect(ended.code).toBe(code);
    expect(ended.stderr).toContain(message);
    expect(ended.stdout + ended.stderr).not.toContain(value);
    expect(shell.list(".exoarmur")).not.toContain("vault.age");
  });

  test("a grant of a secret that is not configured is refused", async () => {
    configure(bound, { http: { http_request: { allow: [], secrets: ["TOKEN", "OTHER"] } } });
    const ended = await shell.exo(["secrets", "list"]);
    expect(ended.stderr).toContain(
      '/grants/http/http_request/secrets/1: expected a name under /secrets (TOKEN, PIN), got "OTHER"',
    );
  });

  test("a counterparty without a key in trust.json stops the start, and says which", async () => {
    const counterparties = [{ scheme: "http-message-signature", origin, keyId: "bank-2026" }];
    shell.edit(".exoarmur/config.json", (config) => ({ ...config, counterparties }));
    const ended = await shell.run({ actor: "me", action: "table.stats", parameters: { path: "data/orders.csv" } });
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain(
      "EXO_TRUST: counterparties: the trust file has no key bank-2026 of the role counterparty for https://api.example.com:443",
    );
  });

  test("the doctor tells what is missing, what goes in clear and what is wrong, by name", async () => {
    const line = async (env: Record<string, string> = {}): Promise<unknown> => {
      const { stdout } = await shell.exo(["doctor", "--json"], { env });
      return (JSON.parse(stdout) as { checks: { id: string }[] }).checks.find(({ id }) => id === "secrets");
    };
    expect(await line()).toEqual({ id: "secrets", state: "ok", message: "none configured" });
    configure(bound);
    await shell.exo(["secrets", "set", "TOKEN"], { input: value });
    expect(await line()).toMatchObject({ state: "warn", message: "no value for PIN; see exoarmur secrets set" });
    const env = { EXOARMUR_SECRET_PIN: "12345678" };
    expect(await line(env)).toMatchObject({ state: "warn", message: "PIN would be sent without TLS" });
    const short = await line({ EXOARMUR_SECRET_PIN: "1234567" });
    expect(short).toMatchObject({ state: "fail", code: "EXO_SECRET_VALUE" });
    chmodSync(shell.path(".exoarmur/keys/vault.key"), 0o644);
    expect(await line(env)).toMatchObject({ state: "fail", code: "EXO_KEY_MODE" });
    expect(readFileSync(shell.path(".exoarmur/.gitignore"), "utf8")).toContain("vault.age\n");
  });
});
