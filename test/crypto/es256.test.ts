import { createECDH, createHash, generateKeyPairSync, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import * as noble from "../../src/crypto/backend-noble.js";
import * as node from "../../src/crypto/backend-node.js";
import { concatBytes, decodeHex, encodeHex } from "../../src/crypto/encoding.js";
import { keyIdOf } from "../../src/crypto/key-id.js";
import { admitP256Key, verifyP256 } from "../../src/crypto/p256.js";
import { compressSpki, readEcdsaSignature } from "../../src/crypto/p256-encoding.js";

type Case = { tcId: number; comment: string; msg: string; sig: string; result: string; flags: string[] };
type Group = { publicKeyDer: string; tests: Case[] };

const file = new URL("../vectors/wycheproof/ecdsa_secp256r1_sha256_test.json", import.meta.url);
const { numberOfTests, testGroups } = JSON.parse(readFileSync(file, "utf8")) as {
  numberOfTests: number;
  testGroups: Group[];
};
const bytesOf = (hex: string): Uint8Array => decodeHex(hex) ?? expect.fail(`not hex: ${hex}`);
const cases = testGroups.flatMap(({ publicKeyDer, tests }) => {
  const key = compressSpki(bytesOf(publicKeyDer)) ?? expect.fail(`no key of P-256: ${publicKeyDer}`);
  return tests.map((one) => ({ ...one, key, name: `${one.tcId} ${one.flags.join(" ")} ${one.comment}` }));
});

describe("Wycheproof", () => {
  test("has all its cases, and more to refuse than one kind", () => {
    expect(cases).toHaveLength(numberOfTests);
    expect(cases.filter(({ result }) => result === "valid")).toHaveLength(174);
    expect(new Set(cases.filter(({ result }) => result === "invalid").flatMap(({ flags }) => flags)).size).toBe(11);
  });

  test.each(cases)("$name: $result", ({ key, msg, sig, result }) => {
    expect(admitP256Key(key).ok).toBe(true);
    expect(verifyP256(key, bytesOf(msg), bytesOf(sig))).toBe(result === "valid");
  });

  test("both backends answer alike where the encoding is left out", () => {
    const parsed = cases.flatMap(({ sig, ...one }) => {
      const raw = readEcdsaSignature(bytesOf(sig));
      return raw === undefined ? [] : [{ ...one, raw }];
    });
    expect(parsed.some(({ result }) => result === "invalid")).toBe(true);
    for (const { key, msg, raw, name } of parsed.filter(({ tcId }) => tcId % 3 === 0)) {
      const message = bytesOf(msg);
      expect(noble.verifyP256(key, message, raw), name).toBe(node.verifyP256(key, message, raw));
    }
  });
});

const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const spki = Uint8Array.from(publicKey.export({ format: "der", type: "spki" }));
const own = compressSpki(spki) ?? expect.fail("no key of P-256");
const message = Uint8Array.of(1, 2, 3);
const der = Uint8Array.from(sign("sha256", message, privateKey));
const codeOf = (raw: Uint8Array): string => {
  const result = admitP256Key(raw);
  return result.ok ? "ok" : `${result.error.code} ${result.error.message.replace(/[0-9a-f]{60,}/, "KEY")}`;
};

describe("a public key", () => {
  /** p of the curve (SEC 2, section 2.4.2). No point has an x of 1. */
  const p = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
  const x = (hex: string): Uint8Array => bytesOf(`02${hex.padStart(64, "0")}`);

  test("is admitted compressed, by either sign, and copied", () => {
    const result = admitP256Key(own);
    expect(result).toEqual({ ok: true, value: own });
    if (result.ok) expect(result.value).not.toBe(own);
    const mirrored = own.slice();
    mirrored[0] = 5 - (own[0] ?? 0);
    expect(codeOf(mirrored)).toBe("ok");
    expect(verifyP256(mirrored, message, der)).toBe(false);
  });

  test.each([
    ["an x of p", x(p), "EXO_KEY_REFUSED The public key KEY is not a point of the curve P-256."],
    ["an x above p", x("f".repeat(64)), "EXO_KEY_REFUSED The public key KEY is not a point of the curve P-256."],
    ["an x that no point has", x("1"), "EXO_KEY_REFUSED The public key KEY is not a point of the curve P-256."],
    ["the uncompressed form's head", own.with(0, 4), "EXO_KEY_REFUSED The public key KEY is not a compressed point."],
    ["the hybrid form's head", own.with(0, 6), "EXO_KEY_REFUSED The public key KEY is not a compressed point."],
    ["a head of 0", own.with(0, 0), "EXO_KEY_REFUSED The public key KEY is not a compressed point."],
    ["an uncompressed point", spki.subarray(26), "EXO_KEY A P-256 public key has 33 bytes, this one has 65."],
    ["an Ed25519 key", own.subarray(1), "EXO_KEY A P-256 public key has 33 bytes, this one has 32."],
    ["the identity", Uint8Array.of(0), "EXO_KEY A P-256 public key has 33 bytes, this one has 1."],
    ["nothing", new Uint8Array(0), "EXO_KEY A P-256 public key has 33 bytes, this one has 0."],
  ])("%s is refused", (_, raw, expected) => {
    expect(codeOf(raw)).toBe(expected);
    if (raw.length === 33) expect([node.isP256Point(raw), noble.isP256Point(raw)]).toEqual([false, false]);
  });

  test("a key id is of the algorithm too: the same bytes as another kind of key would have another", () => {
    const digest = (label: string): string =>
      createHash("sha256").update(`${label}\0`).update(own).digest("hex").slice(0, 32);
    expect(keyIdOf(own)).toBe(digest("p256"));
    expect(keyIdOf(own)).not.toBe(digest("ed25519"));
  });

  test("comes compressed out of SubjectPublicKeyInfo", () => {
    const ecdh = createECDH("prime256v1");
    ecdh.setPrivateKey(Buffer.from(privateKey.export({ format: "jwk" }).d ?? "", "base64url"));
    expect(encodeHex(own)).toBe(ecdh.getPublicKey("hex", "compressed"));
  });

  test.each([
    [
      "of another curve",
      generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey.export({ format: "der", type: "spki" }),
    ],
    ["of Ed25519", generateKeyPairSync("ed25519").publicKey.export({ format: "der", type: "spki" })],
    ["with a byte after the end", concatBytes(spki, Uint8Array.of(0))],
    ["of a point in hybrid form", spki.with(26, 6)],
    ["cut short", spki.subarray(0, 90)],
    ["of a compressed point", concatBytes(spki.subarray(0, 26), own)],
    ["that is empty", new Uint8Array(0)],
  ])("SubjectPublicKeyInfo %s is refused", (_, bytes) => {
    expect(compressSpki(Uint8Array.from(bytes))).toBeUndefined();
  });
});

describe("a signature", () => {
  const n = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const integer = (value: bigint, pad = ""): string => {
    const hex = value.toString(16);
    const even = hex.length % 2 === 0 ? hex : `0${hex}`;
    const digits = pad + (Number.parseInt(even.slice(0, 2), 16) > 0x7f ? `00${even}` : even);
    return `02${(digits.length / 2).toString(16).padStart(2, "0")}${digits}`;
  };
  const sequence = (content: string): Uint8Array =>
    bytesOf(`30${(content.length / 2).toString(16).padStart(2, "0")}${content}`);
  const raw = readEcdsaSignature(der) ?? expect.fail("its own signature");
  const [r, s] = [0, 32].map((at) => BigInt(`0x${encodeHex(raw.subarray(at, at + 32))}`)) as [bigint, bigint];

  test("holds with s and with n - s: which one, the authenticator chooses", () => {
    expect(sequence(integer(r) + integer(s))).toEqual(der);
    expect(verifyP256(own, message, der)).toBe(true);
    expect(verifyP256(own, message, sequence(integer(r) + integer(n - s)))).toBe(true);
    for (const backend of [node, noble]) expect(backend.verifyP256(own, message, raw)).toBe(true);
  });

  test.each([
    ["of another message", own, Uint8Array.of(1, 2), der],
    ["by a key of another length", own.subarray(1), message, der],
    ["as r and s alone", own, message, raw],
    ["with r of 0", own, message, sequence(integer(0n) + integer(s))],
    ["with s of 0", own, message, sequence(integer(r) + integer(0n))],
    ["with s of n", own, message, sequence(integer(r) + integer(n))],
    ["with r of n + r", own, message, sequence(integer(n + r) + integer(s))],
    ["with r padded", own, message, sequence(integer(r, "00") + integer(s))],
    ["with a byte after the end", own, message, concatBytes(der, Uint8Array.of(0))],
    ["with a third integer", own, message, sequence(integer(r) + integer(s) + integer(1n))],
    ["with a long length", own, message, concatBytes(bytesOf("3081"), der.subarray(1))],
    ["cut short", own, message, der.subarray(0, -1)],
    ["that is empty", own, message, new Uint8Array(0)],
  ])("%s does not hold", (_, key, signed, signature) => {
    expect(verifyP256(key, signed, signature)).toBe(false);
  });

  test.each([
    ["1 and 2", integer(1n) + integer(2n), `${"1".padStart(64, "0")}${"2".padStart(64, "0")}`],
    ["the highest of each", integer(n - 1n) + integer(n - 1n), (n - 1n).toString(16).repeat(2)],
    ["r of n", integer(n) + integer(1n), undefined],
    ["s of n", integer(1n) + integer(n), undefined],
    ["r of 0", integer(0n) + integer(1n), undefined],
    ["s of 0", integer(1n) + integer(0n), undefined],
    ["three integers", integer(1n) + integer(2n) + integer(3n), undefined],
    ["a null after them", `${integer(1n)}${integer(2n)}0500`, undefined],
    ["one integer", integer(1n), undefined],
    ["a negative one", `020180${integer(2n)}`, undefined],
    ["an empty one", `0200${integer(2n)}`, undefined],
    ["one that is no integer", `030101${integer(2n)}`, undefined],
    ["one that goes beyond the end", `${integer(1n)}020201`, undefined],
  ])("reads %s as it should", (_, content, expected) => {
    const found = readEcdsaSignature(sequence(content));
    expect(found === undefined ? undefined : encodeHex(found)).toBe(expected);
  });

  test("is not taken by a key that is on no curve, in either backend", () => {
    const nowhere = bytesOf(`02${"1".padStart(64, "0")}`);
    for (const backend of [node, noble]) expect(backend.verifyP256(nowhere, message, raw)).toBe(false);
  });
});
