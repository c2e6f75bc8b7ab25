import { describe, expect, test } from "vitest";
import { admitPublicKey, openSeed, publicKeyOf, signEd25519, verifyEd25519 } from "../../src/crypto/ed25519.js";
import { encodeHex } from "../../src/crypto/encoding.js";
import { keyIdOf } from "../../src/crypto/key-id.js";
import { systemEntropy } from "../../src/crypto/random.js";
import { hmacSha256, sha256, sha256Hex } from "../../src/crypto/sha256.js";
import { signerFromSeed } from "../../src/crypto/signer.js";
import { codeOf } from "../canonical/helpers.js";

const seed = new Uint8Array(32).fill(7);
const message = new TextEncoder().encode("message");

describe("sign and verify", () => {
  test("what is signed verifies, and nothing else", () => {
    const key = publicKeyOf(seed);
    const signature = signEd25519(seed, message);
    expect(verifyEd25519(key, message, signature)).toBe(true);
    expect(verifyEd25519(key, message.subarray(1), signature)).toBe(false);
    for (let bit = 0; bit < 512; bit += 13) {
      const changed = signature.slice();
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(verifyEd25519(key, message, changed)).toBe(false);
    }
  });

  test.each([0, 31, 33, 64])("a seed of %d bytes is refused", (length) => {
    const bad = new Uint8Array(length);
    expect(codeOf(() => publicKeyOf(bad))).toBe("EXO_KEY");
    expect(codeOf(() => signEd25519(bad, message))).toBe("EXO_KEY");
    expect(codeOf(() => openSeed(bad))).toBe("EXO_KEY");
    expect(codeOf(() => signerFromSeed(bad))).toBe("EXO_KEY");
  });

  test("no error shows a seed", () => {
    const odd = new Uint8Array(33).fill(0xab);
    expect(() => signEd25519(odd, message)).toThrow("A seed has 32 bytes, this one has 33.");
  });
});

describe("admission", () => {
  test("gives a copy, twice the same", () => {
    const key = publicKeyOf(seed);
    for (let i = 0; i < 2; i++) {
      const result = admitPublicKey(key);
      expect(result).toEqual({ ok: true, value: key });
      if (result.ok) expect(result.value).not.toBe(key);
    }
  });

  test.each([
    ["is not canonically encoded", "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"],
    ["is not canonically encoded", "0100000000000000000000000000000000000000000000000000000000000080"],
    ["is not a point of the curve", "0200000000000000000000000000000000000000000000000000000000000000"],
    ["is of small order", "0100000000000000000000000000000000000000000000000000000000000000"],
    ["is of small order", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"],
  ])("refuses a key that %s: %s", (why, hex) => {
    const key = Uint8Array.from(Buffer.from(hex, "hex"));
    for (let i = 0; i < 2; i++) {
      expect(admitPublicKey(key)).toEqual({
        ok: false,
        error: { code: "EXO_KEY_REFUSED", message: `The public key ${hex} ${why}.` },
      });
    }
  });

  test("refuses another length", () => {
    expect(admitPublicKey(new Uint8Array(31))).toMatchObject({ ok: false, error: { code: "EXO_KEY" } });
  });
});

test("a key id is the first 16 bytes of SHA-256 over the algorithm, NUL and the key", () => {
  const key = publicKeyOf(seed);
  const input = Buffer.concat([Buffer.from("ed25519\0"), key]);
  expect(keyIdOf(key)).toBe(sha256Hex(input).slice(0, 32));
  expect(keyIdOf(new Uint8Array(32))).toBe("8819001b0f625268cbf74431b52cb992");
});

test("a signer signs as its key", async () => {
  const signer = signerFromSeed(seed);
  expect(signer.keyId).toBe(keyIdOf(publicKeyOf(seed)));
  expect(verifyEd25519(signer.publicKey, message, await signer.sign(message))).toBe(true);
  expect(JSON.stringify(signer)).not.toContain(encodeHex(seed));
});

test("hash functions join their parts", () => {
  const parts = [Uint8Array.of(1), Uint8Array.of(2, 3)];
  expect(sha256(...parts)).toEqual(sha256(Uint8Array.of(1, 2, 3)));
  expect(encodeHex(sha256())).toBe(sha256Hex(new Uint8Array(0)));
  expect(hmacSha256(seed, ...parts)).toEqual(hmacSha256(seed, Uint8Array.of(1, 2, 3)));
});

test("entropy is of any length", () => {
  expect(systemEntropy.bytes(0)).toHaveLength(0);
  expect(systemEntropy.bytes(100_000)).toHaveLength(100_000);
  expect(
    systemEntropy
      .bytes(100_000)
      .subarray(99_000)
      .some((byte) => byte !== 0),
  ).toBe(true);
  expect(encodeHex(systemEntropy.bytes(16))).not.toBe(encodeHex(systemEntropy.bytes(16)));
  expect(codeOf(() => systemEntropy.bytes(-1))).toBe("EXO_INTERNAL");
  expect(codeOf(() => systemEntropy.bytes(1.5))).toBe("EXO_INTERNAL");
});
