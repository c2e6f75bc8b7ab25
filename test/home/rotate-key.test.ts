import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { canonicalText } from "../../src/canonical/jcs.js";
import type { KeyFile, Role, Trust } from "../../src/contracts/trust.js";
import { decodeBase64 } from "../../src/crypto/encoding.js";
import { formatVkey, noteKey } from "../../src/crypto/note-key.js";
import { formatKeyFile, generateKey, trustEntryOf } from "../../src/home/keys.js";
import { type Rotation, rotateKey } from "../../src/home/rotate-key.js";
import { seededEntropy } from "../support/world.js";

const origin = "exoarmur/local/test";
const entropy = seededEntropy("rotation");
let dir: string;
let old: KeyFile;

const path = (name: string): string => join(dir, name);
const keyFile = (name = "a.key"): KeyFile => JSON.parse(readFileSync(path(name), "utf8")) as KeyFile;
const trustFile = (): Trust => JSON.parse(readFileSync(path("trust.json"), "utf8")) as Trust;
const vkeyOf = ({ publicKey }: KeyFile): string =>
  formatVkey(noteKey(origin, decodeBase64(publicKey) ?? new Uint8Array()));
const rotate = (size: number): Promise<Rotation> =>
  rotateKey({ file: path("a.key"), trustFile: path("trust.json"), size, entropy });

function write(role: Role, over: Partial<Trust> = {}): void {
  old = generateKey(role, "zoe", entropy);
  const trust: Trust = {
    schema: "exoarmur.trust/v1",
    logs: [{ origin, vkey: vkeyOf(old) }],
    keys: [{ ...trustEntryOf(old), ...(role === "approver" ? { person: "zoe z", roles: ["lead"] } : {}) }],
    witnesses: { threshold: 0, vkeys: [] },
    ...over,
  };
  writeFileSync(path("trust.json"), canonicalText(trust));
  writeFileSync(path("a.key"), formatKeyFile(old), { mode: 0o600 });
}

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "exo-rotate-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

describe("a rotation", () => {
  it("ends the old key where the new one begins, which may do the same", async () => {
    write("approver");
    const rotation = await rotate(12);
    const key = keyFile();
    expect(rotation).toEqual({ role: "approver", id: "zoe", keyId: key.keyId, previous: old.keyId, from: 12 });
    expect(key.keyId).not.toBe(old.keyId);
    expect(statSync(path("a.key")).mode & 0o777).toBe(0o600);
    expect(existsSync(path("a.key.next"))).toBe(false);
    const same = { role: "approver", id: "zoe", person: "zoe z", roles: ["lead"] };
    expect(trustFile().keys).toEqual([
      { ...same, publicKey: old.publicKey, from: null, until: 12 },
      { ...same, publicKey: key.publicKey, from: 12, until: null },
    ]);
  });

  it("in a log without entries replaces the old key", async () => {
    write("runtime");
    expect((await rotate(0)).from).toBeNull();
    expect(trustFile().keys).toEqual([
      { role: "runtime", id: "zoe", publicKey: keyFile().publicKey, from: null, until: null },
    ]);
  });

  it("of a key that was revoked leaves its end where it is, and the reason with it", async () => {
    write("runtime");
    const keys = [{ ...trustEntryOf(old), until: 3, reason: "stolen" }];
    writeFileSync(path("trust.json"), canonicalText({ ...trustFile(), keys }));
    await rotate(12);
    expect(trustFile().keys.map(({ from, until, reason }) => [from, until, reason])).toEqual([
      [null, 3, "stolen"],
      [12, null, undefined],
    ]);
  });

  it("of a log's key puts the new one first and keeps the old one", async () => {
    write("log");
    await rotate(12);
    expect(trustFile().logs).toEqual([
      { origin, vkey: vkeyOf(keyFile()) },
      { origin, vkey: vkeyOf(old) },
    ]);
  });

  it("that was broken off before the trust file named the key is made anew", async () => {
    write("approver");
    writeFileSync(path("a.key.next"), formatKeyFile(generateKey("approver", "zoe", entropy)), { mode: 0o600 });
    const lost = keyFile("a.key.next").keyId;
    const { keyId } = await rotate(12);
    expect([keyId === lost, keyFile().keyId]).toEqual([false, keyId]);
    expect(trustFile().keys).toHaveLength(2);
  });

  it.each(["approver", "log"] as const)(
    "of a key of the role %s that is in place already is not taken for an unfinished one",
    async (role) => {
      write(role);
      const first = await rotate(12);
      // As a crash before the last step leaves it.
      writeFileSync(path("a.key.next"), readFileSync(path("a.key")), { mode: 0o600 });
      const second = await rotate(40);
      expect(second).toMatchObject({ previous: first.keyId, from: 40 });
      expect([second.keyId === first.keyId, keyFile().keyId]).toEqual([false, second.keyId]);
      expect(existsSync(path("a.key.next"))).toBe(false);
      const ranges = trustFile().keys.map(({ from, until }) => [from, until]);
      expect(ranges).toEqual([
        [null, 12],
        [12, 40],
        [40, null],
      ]);
    },
  );

  it("that was broken off does not put a key in place that was revoked since", async () => {
    write("approver");
    const before = readFileSync(path("a.key"));
    const first = await rotate(12);
    writeFileSync(path("a.key.next"), readFileSync(path("a.key")), { mode: 0o600 });
    writeFileSync(path("a.key"), before);
    const trust = trustFile();
    const revoked = trust.keys.map((key) => (key.from === 12 ? { ...key, until: 20 } : key));
    writeFileSync(path("trust.json"), canonicalText({ ...trust, keys: revoked }));
    const second = await rotate(40);
    expect([second.keyId === first.keyId, second.previous, second.from]).toEqual([false, old.keyId, 40]);
    expect(keyFile().keyId).toBe(second.keyId);
  });

  it.each(["approver", "log"] as const)(
    "of a key of the role %s that was broken off later is finished",
    async (role) => {
      write(role);
      const before = readFileSync(path("a.key"));
      const { keyId } = await rotate(12);
      const trust = trustFile();
      // As a crash between the trust file and the key file leaves it.
      writeFileSync(path("a.key.next"), readFileSync(path("a.key")), { mode: 0o600 });
      writeFileSync(path("a.key"), before);
      expect(await rotate(40)).toEqual({ role, id: "zoe", keyId, previous: old.keyId, from: 12 });
      expect(keyFile().keyId).toBe(keyId);
      expect(trustFile()).toEqual(trust);
      expect(existsSync(path("a.key.next"))).toBe(false);
    },
  );

  it.each(["approver", "log"] as const)(
    "of a key of the role %s that the trust file does not name is refused",
    async (role) => {
      write(role);
      const stranger = generateKey(role, "zoe", entropy);
      writeFileSync(path("a.key"), formatKeyFile(stranger), { mode: 0o600 });
      const before = readFileSync(path("trust.json"), "utf8");
      await expect(rotate(12)).rejects.toMatchObject({
        code: "EXO_TRUST",
        message: expect.stringContaining(stranger.keyId),
      });
      expect([keyFile().keyId, readFileSync(path("trust.json"), "utf8")]).toEqual([stranger.keyId, before]);
      expect(existsSync(path("a.key.next"))).toBe(false);
    },
  );
});
