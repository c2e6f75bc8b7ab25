import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as noble from "../../src/crypto/backend-noble.js";
import * as node from "../../src/crypto/backend-node.js";
import { admitPublicKey } from "../../src/crypto/ed25519.js";

type Vector = {
  comment: string;
  publicKey: string;
  message: string;
  signature: string;
  valid: boolean;
  admitted: boolean;
};
const file = new URL("../vectors/ed25519-strict.json", import.meta.url);
const { vectors } = JSON.parse(readFileSync(file, "utf8")) as { vectors: Vector[] };

const unhex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"));
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const backends = [
  ["node", node],
  ["noble", noble],
] as const;

test("both backends export the same functions", () => {
  expect(Object.keys(noble).sort()).toEqual(Object.keys(node).sort());
  expect(Object.keys(node)).toHaveLength(17);
});

describe.each(backends)("strict Ed25519 on %s", (_, backend) => {
  test.each(vectors)("$comment", ({ publicKey, message, signature, valid }) => {
    expect(backend.verifyStrict(unhex(publicKey), unhex(message), unhex(signature))).toBe(valid);
  });

  test("RFC 8032 section 7.1 keys and signatures", () => {
    const seed = unhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
    expect(hex(backend.publicKeyFromSeed(seed))).toBe(vectors[0]?.publicKey);
    expect(hex(backend.openSeed(seed)(new Uint8Array(0)))).toBe(vectors[0]?.signature);
    const second = unhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
    expect(hex(backend.openSeed(second)(Uint8Array.of(0x72)))).toBe(vectors[1]?.signature);
  });

  test("an opened seed is a copy", () => {
    const seed = new Uint8Array(32).fill(5);
    const sign = backend.openSeed(seed);
    const before = hex(sign(Uint8Array.of(1)));
    seed.fill(6);
    expect(hex(sign(Uint8Array.of(1)))).toBe(before);
  });

  test("more keys than the cache holds", () => {
    const message = Uint8Array.of(1);
    const wrong = new Uint8Array(64);
    for (let i = 0; i < (backend === node ? 1100 : 10); i++) {
      const key = new Uint8Array(32).fill(i & 255);
      key[0] = i >> 8;
      key[31] = 0;
      backend.verifyStrict(key, message, wrong);
    }
    expect(
      backend.verifyStrict(unhex(vectors[0]?.publicKey ?? ""), new Uint8Array(0), unhex(vectors[0]?.signature ?? "")),
    ).toBe(true);
  });
});

test("the vectors cover what they should", () => {
  expect(vectors).toHaveLength(47);
  expect(vectors.filter(({ valid }) => valid)).toHaveLength(15);
  expect(vectors.filter(({ valid, admitted }) => valid && !admitted)).toHaveLength(10);
});

describe("key admission", () => {
  test.each(vectors)("key of: $comment", ({ publicKey, admitted }) => {
    const result = admitPublicKey(unhex(publicKey));
    expect(result.ok).toBe(admitted);
    if (!result.ok) expect(result.error.code).toBe(publicKey.length === 64 ? "EXO_KEY_REFUSED" : "EXO_KEY");
  });
});

describe.each(backends)("hashes on %s", (_, backend) => {
  test("published vectors", () => {
    const abc = new TextEncoder().encode("abc");
    expect(backend.sha256Hex(abc)).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect(hex(backend.sha256([]))).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    // RFC 4231, test case 2.
    const mac = backend.hmacSha256(new TextEncoder().encode("Jefe"), [
      new TextEncoder().encode("what do ya want for nothing?"),
    ]);
    expect(hex(mac)).toBe("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  });

  test("parts are hashed one after the other, short or long", () => {
    const data = Uint8Array.from({ length: 40_000 }, (_item, i) => i * 31);
    for (const total of [10, 40_000]) {
      const whole = data.subarray(0, total);
      const parts = [whole.subarray(0, 3), new Uint8Array(0), whole.subarray(3)];
      expect(hex(backend.sha256(parts))).toBe(backend.sha256Hex(whole));
      expect(hex(backend.hmacSha256(data, parts))).toBe(hex(backend.hmacSha256(data, [whole])));
    }
  });

  test("results own their memory and are plain arrays", () => {
    for (const bytes of [
      backend.sha256([]),
      backend.decodeHex("00ff"),
      backend.decodeBase64("AQID"),
      backend.encodeUtf8("abc"),
    ]) {
      expect(bytes?.constructor).toBe(Uint8Array);
      expect(bytes?.buffer.byteLength).toBe(bytes?.byteLength);
    }
  });
});

describe("both backends agree", () => {
  test("on hashes, signatures and codecs", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.uint8Array({ minLength: 32, maxLength: 32 }), (data, seed) => {
        expect(hex(noble.sha256([data, seed]))).toBe(hex(node.sha256([data, seed])));
        expect(hex(noble.sha512(data))).toBe(hex(node.sha512(data)));
        expect(hex(noble.hmacSha256(seed, [data]))).toBe(hex(node.hmacSha256(seed, [data])));
        expect(noble.encodeHex(data)).toBe(node.encodeHex(data));
        expect(noble.encodeBase64(data)).toBe(node.encodeBase64(data));
        expect(noble.encodeBase64Url(data)).toBe(node.encodeBase64Url(data));
        expect(noble.decodeUtf8(data)).toBe(node.decodeUtf8(data));
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.uint8Array({ minLength: 32, maxLength: 32 }), (data, seed) => {
        const signature = node.openSeed(seed)(data);
        expect(hex(noble.openSeed(seed)(data))).toBe(hex(signature));
        const key = noble.publicKeyFromSeed(seed);
        expect(hex(key)).toBe(hex(node.publicKeyFromSeed(seed)));
        expect(noble.verifyStrict(key, data, signature) && node.verifyStrict(key, data, signature)).toBe(true);
      }),
      { numRuns: 15 },
    );
  });

  test("on every text they decode", () => {
    const near = fc.string({ unit: fc.constantFrom(..."AQgwZz09+/-_=af\n é"), maxLength: 12 });
    fc.assert(
      fc.property(fc.oneof(near, fc.string(), fc.base64String()), (text) => {
        expect(noble.decodeHex(text)).toEqual(node.decodeHex(text));
        expect(noble.decodeBase64(text)).toEqual(node.decodeBase64(text));
        expect(noble.decodeBase64Url(text)).toEqual(node.decodeBase64Url(text));
      }),
      { numRuns: 3000 },
    );
  });
});
