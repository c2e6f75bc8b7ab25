import { chmodSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import type { KeyFile } from "../../src/contracts/trust.js";
import { verifyEd25519 } from "../../src/crypto/ed25519.js";
import { systemEntropy } from "../../src/crypto/random.js";
import { generateKey, keyFileOf, readKeyFile, trustEntryOf, writeKeyFile } from "../../src/home/keys.js";
import { faultOf, freshFolder } from "./support.js";

let file = "";
let key: KeyFile;

beforeEach(async () => {
  file = join(freshFolder(), "k.key");
  key = generateKey("approver", "alice", systemEntropy);
  await writeKeyFile(file, key);
});

const put = (value: object | string): void =>
  writeFileSync(file, typeof value === "string" ? value : JSON.stringify(value));

describe("readKeyFile", () => {
  it("gives back the key that was written, private to its owner", async () => {
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const { id, role, signer } = await readKeyFile(file, "approver");
    expect([id, role, signer.keyId]).toEqual(["alice", "approver", key.keyId]);
    const message = Uint8Array.of(1, 2, 3);
    expect(verifyEd25519(signer.publicKey, message, await signer.sign(message))).toBe(true);
  });

  it("derives a known key from a known seed", () => {
    const fixed = generateKey("runtime", "r", { bytes: (length) => new Uint8Array(length) });
    expect(fixed.seed).toBe("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    expect(fixed.publicKey).toBe("O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik=");
  });

  it("puts nothing but public parts into a trust entry", () => {
    expect(trustEntryOf(key)).toEqual({
      role: "approver",
      id: "alice",
      publicKey: key.publicKey,
      from: null,
      until: null,
    });
  });

  it("names the file of each role", () => {
    expect(keyFileOf("k", "policy-author")).toBe(join("k", "author.key"));
    expect(keyFileOf("k", "log")).toBe(join("k", "log.key"));
  });

  it.each([0o640, 0o604, 0o660, 0o620, 0o610, 0o644])("refuses mode %s", async (mode) => {
    chmodSync(file, mode);
    const fault = await faultOf(() => readKeyFile(file));
    expect(fault.code).toBe("EXO_KEY_MODE");
    expect(fault.message).toBe(`${file} has mode 0${mode.toString(8)}; make it private: chmod 600 ${file}`);
  });

  it("judges the mode of what a link leads to", async () => {
    const link = join(freshFolder(), "link.key");
    symlinkSync(file, link);
    await readKeyFile(link);
    chmodSync(file, 0o644);
    expect((await faultOf(() => readKeyFile(link))).code).toBe("EXO_KEY_MODE");
  });

  it("refuses another role, naming both", async () => {
    const fault = await faultOf(() => readKeyFile(file, "operator"));
    expect([fault.code, fault.message]).toEqual([
      "EXO_KEY",
      `${file} is a key of the role approver, expected operator`,
    ]);
  });

  it("says when there is none", async () => {
    const fault = await faultOf(() => readKeyFile(`${file}x`));
    expect([fault.code, fault.message]).toEqual(["EXO_FILE", `${file}x does not exist`]);
  });

  it.each<[string, (key: KeyFile) => object | string]>([
    ["another public key", (own) => ({ ...own, publicKey: generateKey("approver", "b", systemEntropy).publicKey })],
    ["another key id", (own) => ({ ...own, keyId: "0".repeat(32) })],
    ["a short seed", (own) => ({ ...own, seed: own.seed.slice(4) })],
    ["no seed", ({ seed: _, ...own }) => own],
    ["an unknown member", (own) => ({ ...own, note: own.seed })],
    ["its seed as the name of a member", (own) => ({ ...own, [own.seed]: 1 })],
    ["its seed as its role", (own) => ({ ...own, role: own.seed })],
    ["another schema", (own) => ({ ...own, schema: "exoarmur.key/v2" })],
    ["a broken end", (own) => `${JSON.stringify(own).slice(0, -1)}!`],
    ["the seed where no value may be", (own) => `{"seed": ${own.seed}}`],
    ["a duplicate seed", (own) => `{"seed":"${own.seed}","seed":"${own.seed}"}`],
    [
      "a base64 seed with stray bits",
      (own) => ({ ...own, seed: `${own.seed.slice(0, 42)}${own.seed[42] === "B" ? "C" : "B"}=` }),
    ],
  ])("refuses a file with %s and repeats no secret", async (_, change) => {
    put(change(key));
    const fault = await faultOf(() => readKeyFile(file));
    expect(fault.code).toBe("EXO_KEY");
    const told = `${fault.message} ${JSON.stringify(fault.place)} ${String(fault.cause)} ${fault.stack}`;
    expect(told).not.toContain(key.seed.slice(0, 20));
    expect(fault.message).not.toMatch(/U\+/);
  });

  it("does not read a huge file", async () => {
    put(" ".repeat(70_000));
    const fault = await faultOf(() => readKeyFile(file));
    expect([fault.code, fault.message]).toEqual(["EXO_FILE", `${file} has 70000 bytes, at most 65536 are read`]);
  });

  it("writes a seed to no file but the key's", async () => {
    expect(readFileSync(file, "utf8")).toContain(key.seed);
    const other = `${file}2`;
    await writeKeyFile(other, key);
    await writeKeyFile(other, generateKey("approver", "alice", systemEntropy));
    expect(readFileSync(other, "utf8")).not.toContain(key.seed);
    expect(statSync(other).mode & 0o777).toBe(0o600);
  });
});
