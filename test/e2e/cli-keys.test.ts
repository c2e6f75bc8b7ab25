import { createPublicKey } from "node:crypto";
import { chmodSync, statSync, symlinkSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { KeyFile, Trust } from "../../src/contracts/trust.js";
import { errorOf, jsonOf, NearShell, type Shell } from "./cli.js";

type Listed = {
  file: string;
  role: string | null;
  keyId: string | null;
  mode: string;
  trusted: { as: string; from: number | null; until: number | null }[];
  refused: { code: string; message: string } | null;
};

describe("keys at the terminal", () => {
  let shell: Shell;
  const keyFile = (name: string): KeyFile => JSON.parse(shell.read(`.exoarmur/keys/${name}.key`)) as KeyFile;
  const trustFile = (): Trust => JSON.parse(shell.read(".exoarmur/trust.json")) as Trust;
  const secretsOf = (): string[] => ["runtime", "log", "approver", "operator", "author"].map((n) => keyFile(n).seed);

  beforeAll(async () => {
    shell = new NearShell();
    await shell.exo(["init"]);
  });
  afterAll(() => shell.remove());

  it("list names every key file, where it counts, and nothing private", async () => {
    const listed = await shell.exo(["keys", "list", "--json"]);
    const { keys } = jsonOf(listed) as unknown as { keys: Listed[] };
    expect(keys.map(({ file, role, mode }) => [file.split("/").at(-1), role, mode])).toEqual([
      ["approver.key", "approver", "0600"],
      ["author.key", "policy-author", "0600"],
      ["log.key", "log", "0600"],
      ["operator.key", "operator", "0600"],
      ["runtime.key", "runtime", "0600"],
      ["salt.key", "salt", "0600"],
    ]);
    const open = { from: null, until: null };
    expect(keys.find(({ role }) => role === "log")?.trusted).toEqual([
      { as: "key", ...open },
      { as: "log", ...open },
    ]);
    expect(keys.find(({ role }) => role === "runtime")?.trusted).toEqual([{ as: "key", ...open }]);
    expect(listed.code).toBe(0);
    const shown = await shell.exo(["keys", "list"]);
    expect(shown.stdout).toContain(
      `.exoarmur/keys/runtime.key    0600   runtime         runtime    ${keyFile("runtime").keyId}   trusted always\n`,
    );
    expect(shown.stdout).toMatch(/salt\.key +0600 +salt +- +- +a secret, nothing to trust\n/);
    for (const secret of secretsOf()) expect(listed.stdout + shown.stdout).not.toContain(secret);
  });

  it("list and export refuse what others may read, what is no key, and what is not trusted", async () => {
    const made = new NearShell(shell);
    try {
      chmodSync(made.path(".exoarmur/keys/operator.key"), 0o640);
      made.write(".exoarmur/keys/broken.key", '{"seed":"hidden-value"}');
      chmodSync(made.path(".exoarmur/keys/broken.key"), 0o600);
      symlinkSync("nowhere", made.path(".exoarmur/keys/gone.key"));
      await made.exo(["keys", "new", "--role", "operator", "--id", "new", "-o", ".exoarmur/keys/second.key"]);
      const listed = await made.exo(["keys", "list", "--json"]);
      expect(listed.code).toBe(1);
      const { keys } = jsonOf(listed) as unknown as { keys: Listed[] };
      const by = (name: string): Listed | undefined => keys.find(({ file }) => file.endsWith(`/${name}.key`));
      expect(by("operator")).toMatchObject({
        mode: "0640",
        role: null,
        keyId: null,
        refused: { code: "EXO_KEY_MODE" },
      });
      expect(by("broken")).toMatchObject({ role: null, refused: { code: "EXO_KEY" } });
      expect(by("gone")?.refused).toMatchObject({ code: "EXO_FILE" });
      expect(by("second")).toMatchObject({ role: "operator", trusted: [], refused: null });
      expect(listed.stdout).not.toContain("hidden-value");
      const shown = await made.exo(["keys", "list"]);
      expect(shown.stdout).toMatch(/operator\.key +0640 .*EXO_KEY_MODE: .*chmod 600/);
      expect(shown.stdout).toMatch(/second\.key .*not in trust\.json\n/);
      for (const what of ["operator", ".exoarmur/keys/operator.key"]) {
        const ended = await made.exo(["keys", "export", what, "--json"]);
        expect([ended.code, errorOf(ended)]).toEqual([1, "EXO_KEY_MODE"]);
      }
    } finally {
      made.remove();
    }
  });

  it("export gives the public half in each form, and OpenSSL's reader takes the PEM", async () => {
    const runtime = keyFile("runtime");
    const half = jsonOf(await shell.exo(["keys", "export", "runtime", "--json"]));
    expect(half).toEqual({
      schema: "exoarmur.public-key/v1",
      entry: { role: "runtime", id: "runtime", publicKey: runtime.publicKey, from: null, until: null },
      keyId: runtime.keyId,
      raw: runtime.publicKey,
      pem: expect.stringMatching(/^-----BEGIN PUBLIC KEY-----\n/) as unknown,
      vkey: null,
    });
    const { x } = createPublicKey(half["pem"] as string).export({ format: "jwk" });
    expect(Buffer.from(x ?? "", "base64url").toString("base64")).toBe(runtime.publicKey);
    const vkey = await shell.exo(["keys", "export", "log", "--as", "vkey"]);
    expect(vkey.stdout).toBe(`${trustFile().logs[0]?.vkey ?? ""}\n`);
    const entry = await shell.exo(["keys", "export", ".exoarmur/keys/author.key", "--as", "entry"]);
    expect(JSON.parse(entry.stdout)).toEqual(trustFile().keys.find(({ role }) => role === "policy-author"));
    const text = await shell.exo(["keys", "export", "runtime"]);
    expect(text.stdout).toContain(`key id     ${runtime.keyId}\n`);
    for (const secret of secretsOf()) expect(text.stdout).not.toContain(secret);
  });

  it("export gives a witness a verifier key of cosignatures, and refuses one for other roles", async () => {
    await shell.exo(["keys", "new", "--role", "witness", "--id", "w.example", "-o", "w.key"]);
    const { stdout } = await shell.exo(["keys", "export", "w.key", "--as", "vkey"]);
    const [, , encoded = ""] = /^(w\.example)\+[0-9a-f]{8}\+(.+)\n$/.exec(stdout) ?? [];
    expect([...Buffer.from(encoded, "base64")].slice(0, 1)).toEqual([4]);
    const refused = await shell.exo(["keys", "export", "approver", "--as", "vkey"]);
    expect([refused.code, refused.stdout]).toEqual([2, ""]);
    expect(refused.stderr).toMatch(/EXO_USAGE: --as vkey: the key has the role approver/);
    const missing = await shell.exo(["keys", "export", "publisher", "--json"]);
    expect(errorOf(missing)).toBe("EXO_FILE");
  });

  it("trust shows the file, adds a key and ends it, and leaves it alone when it refuses", async () => {
    await shell.exo(["keys", "new", "--role", "approver", "--id", "bob", "-o", "bob.key"]);
    shell.write("bob.json", (await shell.exo(["keys", "export", "bob.key", "--as", "entry"])).stdout);
    const { keyId } = JSON.parse(shell.read("bob.key")) as KeyFile;
    const added = await shell.exo(["keys", "trust", "add", "bob.json"]);
    expect(added.stdout).toMatch(new RegExp(`^approver +bob +${keyId} +always$`, "m"));
    expect(added.stdout).toMatch(/^quorum +0 of 0 witnesses$/m);
    expect(added.stdout).toMatch(/^wrote \.exoarmur\/trust\.json; a running runtime reads it at its next start$/m);
    const ended = await shell.exo(["keys", "trust", "end", keyId, "--at", "7", "--json"]);
    expect(jsonOf(ended)).toMatchObject({ schema: "exoarmur.trust-file/v1", changed: true });
    expect(trustFile().keys.at(-1)).toMatchObject({ id: "bob", from: null, until: 7 });
    const before = shell.read(".exoarmur/trust.json");
    const modified = statSync(shell.path(".exoarmur/trust.json")).mtimeMs;
    const refusals: [readonly string[], string, number][] = [
      [["add", "bob.key"], "EXO_SCHEMA", 1],
      [["end", keyId, "--at", "9"], "EXO_TRUST", 1],
      [["end", keyId], "EXO_USAGE", 2],
      [["end", "bob", "--at", "1"], "EXO_USAGE", 2],
      [["revoke", keyId], "EXO_USAGE", 2],
      [["--at", "3"], "EXO_USAGE", 2],
    ];
    for (const [args, code, exit] of refusals) {
      const refused = await shell.exo(["keys", "trust", ...args, "--json"]);
      expect([args, refused.code, errorOf(refused)]).toEqual([args, exit, code]);
    }
    expect(shell.read(".exoarmur/trust.json")).toBe(before);
    const shown = await shell.exo(["keys", "trust"]);
    expect(shown.stdout).toMatch(new RegExp(`^approver +bob +${keyId} +until 7$`, "m"));
    expect(statSync(shell.path(".exoarmur/trust.json")).mtimeMs).toBe(modified);
  });
});
