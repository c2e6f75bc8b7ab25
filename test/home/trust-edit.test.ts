import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { entryKeyId, type Trust, type TrustedKey } from "../../src/contracts/trust.js";
import { encodeBase64, encodeUtf8 } from "../../src/crypto/encoding.js";
import { systemEntropy } from "../../src/crypto/random.js";
import { generateKey, trustEntryOf } from "../../src/home/keys.js";
import { readTrust } from "../../src/home/open.js";
import { rangeText, readTrustEntry, withEnd, withKey, writeTrust } from "../../src/home/trust-edit.js";
import { faultOf, freshFolder } from "./support.js";

const empty: Trust = {
  schema: "exoarmur.trust/v1",
  logs: [],
  keys: [],
  witnesses: { threshold: 0, vkeys: [] },
};
const key = generateKey("approver", "alice", systemEntropy);
const entry = trustEntryOf(key);
const bytesOf = (value: unknown): Uint8Array => encodeUtf8(JSON.stringify(value));
const range = (from: number | null, until: number | null): TrustedKey => ({ ...entry, from, until });

describe("an entry of a trust file", () => {
  it("is read and admitted", () => {
    expect(readTrustEntry(bytesOf(entry), "e.json")).toEqual(entry);
    expect(entryKeyId(entry)).toBe(key.keyId);
  });

  it.each([
    ["a whole key file", key, "EXO_SCHEMA", /^e\.json/],
    ["an unknown role", { ...entry, role: "king" }, "EXO_SCHEMA", /role/],
    ["an unknown member", { ...entry, note: "x" }, "EXO_SCHEMA", /note/],
    ["no validity", { role: entry.role, id: entry.id, publicKey: entry.publicKey }, "EXO_SCHEMA", /from/],
    ["a short key", { ...entry, publicKey: encodeBase64(new Uint8Array(31)) }, "EXO_KEY", /publicKey/],
    [
      "a key of small order",
      { ...entry, publicKey: encodeBase64(Uint8Array.of(1, ...new Uint8Array(31))) },
      "EXO_KEY_REFUSED",
      /e\.json: \/publicKey: /,
    ],
  ])("is refused: %s", async (_name, value, code, message) => {
    const fault = await faultOf(() => readTrustEntry(bytesOf(value), "e.json"));
    expect(fault.code).toBe(code);
    expect(fault.message).toMatch(message);
    expect(fault.message).not.toContain(key.seed);
  });

  it("is refused when it is no JSON, or names a member twice", async () => {
    expect((await faultOf(() => readTrustEntry(encodeUtf8("{"), "e"))).code).toBe("EXO_JSON_SYNTAX");
    expect((await faultOf(() => readTrustEntry(encodeUtf8('{"a":1,"a":1}'), "e"))).code).toBe("EXO_JSON_DUPLICATE_KEY");
  });
});

describe("entering a key", () => {
  it("keeps the others and lets the same key come again where it did not count", () => {
    const once = withKey(empty, range(null, 5));
    const twice = withKey(once, range(5, null));
    expect(twice.keys).toEqual([range(null, 5), range(5, null)]);
    expect(withKey(once, { ...entry, role: "operator" }).keys).toHaveLength(2);
    expect(empty.keys).toEqual([]);
  });

  it.each([
    [range(null, null), range(null, null), "always"],
    [range(3, 9), range(8, null), "from 3 until 9"],
    [range(3, null), range(null, 4), "from 3"],
  ])("refuses an overlap with itself", async (first, second, words) => {
    const fault = await faultOf(() => withKey(withKey(empty, first), second));
    expect(fault.code).toBe("EXO_TRUST");
    expect(fault.message).toBe(`the key ${key.keyId} has the role approver already, ${words}`);
  });

  it.each([
    [range(5, 5), "the entry counts nowhere: expected until beyond 5, got 5"],
    [range(null, 0), "the entry counts nowhere: expected until beyond 0, got 0"],
  ])("refuses what counts nowhere", async (bad, message) => {
    const fault = await faultOf(() => withKey(empty, bad));
    expect([fault.code, fault.message]).toEqual(["EXO_TRUST", message]);
  });

  it("refuses a file that would break its contract: one of ours as a counterparty", async () => {
    const origins = [{ scheme: "https" as const, host: "bank.example", port: 443 }];
    const trust = withKey(empty, entry);
    const fault = await faultOf(() => withKey(trust, { ...entry, role: "counterparty", origins }));
    expect(fault.code).toBe("EXO_SCHEMA");
    expect(fault.message).toMatch(/role counterparty that nothing here has another role for/);
  });
});

describe("ending a key", () => {
  it("sets until, brings it forward, and leaves other keys alone", () => {
    const other = trustEntryOf(generateKey("approver", "bob", systemEntropy));
    const trust = withKey(withKey(empty, entry), other);
    const ended = withEnd(trust, key.keyId, 40);
    expect(ended.keys).toEqual([range(null, 40), other]);
    expect(withEnd(ended, key.keyId, 12).keys).toEqual([range(null, 12), other]);
    expect(withEnd(trust, key.keyId, 0).keys[0]).toEqual(range(null, 0));
  });

  it("keeps the reason it is given, and with a nearer end the old one unless there is another", () => {
    const ended = withEnd(withKey(empty, entry), key.keyId, 40, { reason: "left the team" });
    expect(ended.keys).toEqual([{ ...range(null, 40), reason: "left the team" }]);
    expect(withEnd(ended, key.keyId, 12).keys).toEqual([{ ...range(null, 12), reason: "left the team" }]);
    const again = withEnd(ended, key.keyId, 12, { reason: "laptop stolen" });
    expect(again.keys).toEqual([{ ...range(null, 12), reason: "laptop stolen" }]);
  });

  it("refuses a reason that is empty or too long, and one for a key that does not end", async () => {
    const trust = withKey(empty, entry);
    for (const reason of ["", "x".repeat(2001)])
      expect((await faultOf(() => withEnd(trust, key.keyId, 1, { reason }))).code).toBe("EXO_SCHEMA");
    const open = await faultOf(() => withKey(empty, { ...entry, reason: "why" }));
    expect([open.code, open.message]).toEqual([
      "EXO_SCHEMA",
      expect.stringContaining("reason only with keys that end"),
    ]);
  });

  it("ends every range that reaches beyond", () => {
    const trust = withKey(withKey(empty, range(null, 5)), range(8, null));
    expect(withEnd(trust, key.keyId, 6).keys).toEqual([range(null, 5), { ...range(8, null), until: 6 }]);
  });

  it("never lengthens what has ended", async () => {
    const trust = withKey(empty, range(null, 5));
    for (const at of [5, 6]) {
      const fault = await faultOf(() => withEnd(trust, key.keyId, at));
      expect([fault.code, fault.message]).toEqual([
        "EXO_TRUST",
        `the key ${key.keyId} ends before ${at} already: until 5`,
      ]);
    }
  });

  it("refuses a key nobody knows, and one of several roles unless a role is named", async () => {
    const trust = withKey(withKey(empty, entry), { ...entry, role: "operator" });
    const unknown = await faultOf(() => withEnd(trust, "0".repeat(32), 1));
    expect([unknown.code, unknown.message]).toEqual(["EXO_TRUST", `no entry of keys has the key id ${"0".repeat(32)}`]);
    const several = await faultOf(() => withEnd(trust, key.keyId, 1));
    expect(several.message).toBe(`the key ${key.keyId} has the roles approver, operator; name one with --role`);
    const none = await faultOf(() => withEnd(trust, key.keyId, 1, { role: "runtime" }));
    expect(none.message).toBe(`no entry of keys has the key id ${key.keyId} with the role runtime`);
    expect(withEnd(trust, key.keyId, 1, { role: "operator" }).keys.map(({ until }) => until)).toEqual([null, 1]);
  });
});

describe("a written trust file", () => {
  it("is read back the same, in canonical form", async () => {
    const file = join(freshFolder(), "trust.json");
    writeFileSync(file, "old");
    const trust = withKey(empty, entry);
    await writeTrust(file, trust);
    expect(await readTrust(file)).toEqual(trust);
    expect(readFileSync(file, "utf8").startsWith('{"keys":[{"from":null,"id":"alice",')).toBe(true);
    expect(statSync(file).isFile()).toBe(true);
  });

  it("words its ranges", () => {
    expect([range(null, null), range(1, null), range(null, 2), range(1, 2)].map(rangeText)).toEqual([
      "always",
      "from 1",
      "until 2",
      "from 1 until 2",
    ]);
  });
});
