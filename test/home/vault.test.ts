import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from "age-encryption";
import { beforeEach, describe, expect, test } from "vitest";
import { canonicalize } from "../../src/canonical/jcs.js";
import { ExoArmurError } from "../../src/errors.js";
import { type HomePaths, homePaths } from "../../src/home/paths.js";
import { openFileVault } from "../../src/home/vault.js";
import { createEnvVault } from "../../src/home/vault-env.js";
import { freshFolder } from "./support.js";

let paths: HomePaths;
beforeEach(() => {
  paths = homePaths(join(freshFolder(), "h"));
  mkdirSync(paths.keys, { recursive: true });
});

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const text = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : Buffer.from(value).toString();

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "no error";
  } catch (error) {
    if (!(error instanceof ExoArmurError)) throw error;
    return `${error.code}: ${error.message.replaceAll(paths.home, "HOME")}`;
  }
}

/** Encrypts a document for the vault's own key, as somebody else's program would. */
async function encryptForVault(content: Uint8Array): Promise<void> {
  const identity = readFileSync(paths.vaultKey, "utf8").split("\n")[1] ?? "";
  const encrypter = new Encrypter();
  encrypter.addRecipient(await identityToRecipient(identity));
  writeFileSync(paths.vault, await encrypter.encrypt(content));
}

describe("the encrypted vault", () => {
  test("keeps values, gives copies of them, lists and forgets them", async () => {
    const vault = openFileVault(paths);
    expect(await vault.names()).toEqual([]);
    expect(await vault.get("TOKEN")).toBeUndefined();
    await vault.set("TOKEN", bytes("first-value"));
    await vault.set("API-key_2", bytes("näther-value\n"));
    await vault.set("TOKEN", bytes("second-value"));
    (await vault.get("TOKEN"))?.fill(0);
    // What another process reads.
    const other = openFileVault(paths);
    expect(text(await other.get("TOKEN"))).toBe("second-value");
    expect(text(await other.get("API-key_2"))).toBe("näther-value\n");
    expect(await other.names()).toEqual(["API-key_2", "TOKEN"]);
    expect(await other.remove("TOKEN")).toBe(true);
    expect(await other.remove("TOKEN")).toBe(false);
    expect(await vault.get("TOKEN")).toBeUndefined();
    expect(await vault.get("toString")).toBeUndefined();
    expect(await vault.get("__proto__")).toBeUndefined();
  });

  test("is one file of age and one identity, nobody else's to read, with nothing of a value in any file", async () => {
    await openFileVault(paths).set("TOKEN", bytes("a-plain-value"));
    for (const file of [paths.vault, paths.vaultKey]) expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(paths.home).sort()).toEqual(["keys", "vault.age"]);
    expect(readdirSync(paths.keys)).toEqual(["vault.key"]);
    const stored = readFileSync(paths.vault, "latin1");
    expect(stored.startsWith("age-encryption.org/v1\n-> X25519 ")).toBe(true);
    for (const form of ["a-plain-value", Buffer.from("a-plain-value").toString("base64")]) {
      expect(stored).not.toContain(form);
    }
    const [, identity = ""] = readFileSync(paths.vaultKey, "utf8").split("\n");
    const decrypter = new Decrypter();
    decrypter.addIdentity(identity);
    expect(JSON.parse(await decrypter.decrypt(readFileSync(paths.vault), "text"))).toEqual({
      schema: "exoarmur.vault/v1",
      secrets: { TOKEN: Buffer.from("a-plain-value").toString("base64") },
    });
  });

  test("refuses a name or value that no placeholder could stand for, and says nothing of the value", async () => {
    const vault = openFileVault(paths);
    expect(await codeOf(vault.set("no name", bytes("long-enough")))).toContain("EXO_SCHEMA: expected a name such as");
    expect(await codeOf(vault.set("TOKEN", bytes("7-bytes")))).toBe(
      "EXO_SECRET_VALUE: the secret TOKEN has 7 bytes; expected 8 to 4096, since shorter ones cannot be told in answers",
    );
    expect(await codeOf(vault.set("TOKEN", Uint8Array.from([255, 255, 255, 255, 255, 255, 255, 255])))).toBe(
      "EXO_SECRET_VALUE: the secret TOKEN is not UTF-8",
    );
    expect(existsSync(paths.vault)).toBe(false);
  });
});

describe("a vault that cannot be trusted is not read, and never replaced", () => {
  beforeEach(async () => {
    await openFileVault(paths).set("TOKEN", bytes("the-stored-value"));
  });

  const wrong: Readonly<Record<string, readonly [() => void | Promise<void>, string]>> = {
    "without its key": [() => rmSync(paths.vaultKey), "EXO_VAULT: HOME/keys/vault.key is missing or cannot be read"],
    "with another key": [
      async () => writeFileSync(paths.vaultKey, `${await generateX25519Identity()}\n`, { mode: 0o600 }),
      "EXO_VAULT: HOME/vault.age cannot be decrypted with HOME/keys/vault.key",
    ],
    "with a key that others may read": [
      () => chmodSync(paths.vaultKey, 0o640),
      "EXO_KEY_MODE: HOME/keys/vault.key has mode 0640; make it private: chmod 600 HOME/keys/vault.key",
    ],
    "with a key file that is none": [
      () => writeFileSync(paths.vaultKey, "AGE-SECRET-KEY-1NOTAKEY"),
      "EXO_VAULT: HOME/keys/vault.key is no age identity file with one X25519 identity",
    ],
    "with two identities": [
      () => writeFileSync(paths.vaultKey, readFileSync(paths.vaultKey, "utf8").repeat(2)),
      "EXO_VAULT: HOME/keys/vault.key is no age identity file with one X25519 identity",
    ],
    "with a flipped bit": [
      () => {
        const stored = readFileSync(paths.vault);
        stored[stored.length - 1] = (stored.at(-1) ?? 0) ^ 1;
        writeFileSync(paths.vault, stored);
      },
      "EXO_VAULT: HOME/vault.age cannot be decrypted with HOME/keys/vault.key",
    ],
    "cut off": [
      () => writeFileSync(paths.vault, readFileSync(paths.vault).subarray(0, -1)),
      "EXO_VAULT: HOME/vault.age cannot be decrypted with HOME/keys/vault.key",
    ],
    empty: [
      () => writeFileSync(paths.vault, ""),
      "EXO_VAULT: HOME/vault.age cannot be decrypted with HOME/keys/vault.key",
    ],
    "of another schema": [
      () => encryptForVault(canonicalize({ schema: "exoarmur.vault/v2", secrets: {} })),
      "EXO_VAULT: HOME/vault.age holds no exoarmur.vault/v1",
    ],
    "that is no canonical JSON": [
      () => encryptForVault(bytes('{"schema":"exoarmur.vault/v1","secrets":{"TOKEN":"QUJDREVGR0g="},"secrets":{}}')),
      "EXO_VAULT: HOME/vault.age holds no exoarmur.vault/v1",
    ],
  };

  test.each(Object.keys(wrong))("%s", async (what) => {
    const [damage, message] = wrong[what] ?? [() => undefined, ""];
    await damage();
    const before = readFileSync(paths.vault);
    const vault = openFileVault(paths);
    const works = [
      () => vault.get("TOKEN"),
      () => vault.names(),
      () => vault.set("NEW", bytes("new-value")),
      () => vault.remove("TOKEN"),
    ];
    for (const work of works) expect(await codeOf(work())).toBe(message);
    expect(readFileSync(paths.vault)).toEqual(before);
    expect(existsSync(paths.vaultKey)).toBe(what !== "without its key");
  });
});

describe("a key that is itself encrypted with a passphrase", () => {
  beforeEach(async () => {
    await openFileVault(paths).set("TOKEN", bytes("the-stored-value"));
    const encrypter = new Encrypter();
    encrypter.setPassphrase("correct horse");
    encrypter.setScryptWorkFactor(8);
    writeFileSync(paths.vaultKey, await encrypter.encrypt(readFileSync(paths.vaultKey)));
  });

  test("opens with it, for reading and for changes", async () => {
    const vault = openFileVault(paths, "correct horse");
    expect(text(await vault.get("TOKEN"))).toBe("the-stored-value");
    await vault.set("NEW", bytes("new-value"));
    expect(await vault.names()).toEqual(["NEW", "TOKEN"]);
  });

  test.each([
    [undefined, "is encrypted; expected its passphrase in EXOARMUR_VAULT_PASSPHRASE"],
    ["", "is encrypted; expected its passphrase in EXOARMUR_VAULT_PASSPHRASE"],
    ["battery staple", "cannot be decrypted with the passphrase in EXOARMUR_VAULT_PASSPHRASE"],
  ])("does not open with %j", async (passphrase, message) => {
    const vault = openFileVault(paths, passphrase);
    expect(await codeOf(vault.get("TOKEN"))).toBe(`EXO_VAULT: HOME/keys/vault.key ${message}`);
  });
});

test("the environment keeps a secret under its name, and an empty variable is none", async () => {
  const vault = createEnvVault({
    EXOARMUR_SECRET_TOKEN: "from-the-environment",
    EXOARMUR_SECRET_EMPTY: "",
    TOKEN: "x",
  });
  expect(text(await vault.get("TOKEN"))).toBe("from-the-environment");
  expect(await vault.get("EMPTY")).toBeUndefined();
  expect(await vault.get("OTHER")).toBeUndefined();
  expect(await vault.get("token")).toBeUndefined();
});
