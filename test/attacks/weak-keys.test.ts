import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { trustSchema } from "../../src/contracts/trust.js";
import { admitPublicKey, verifyEd25519 } from "../../src/crypto/ed25519.js";
import { decodeHex, encodeBase64 } from "../../src/crypto/encoding.js";
import { keyIdOf } from "../../src/crypto/key-id.js";
import { formatVkey, noteKey, parseVkey } from "../../src/crypto/note-key.js";
import type { Signer } from "../../src/ports.js";
import { verifyBundle } from "../../src/verify/verify-bundle.js";
import { type Bundles, makeBundles } from "../support/bundles.js";
import { Forge } from "../support/forge.js";
import { origin, trusted } from "../support/world.js";

type Vector = { comment: string; publicKey: string; signature: string; admitted: boolean };

const file = new URL("../vectors/ed25519-strict.json", import.meta.url);
const { vectors } = JSON.parse(readFileSync(file, "utf8")) as { vectors: Vector[] };
const bytesOf = (hex: string): Uint8Array => decodeHex(hex) ?? expect.fail(hex);
const refused = vectors.filter(({ admitted, publicKey }) => !admitted && publicKey.length === 64);

/** Signs everything with R the identity and S zero: under the key that is the identity itself, this holds for any message. */
const nought = Uint8Array.from({ length: 64 }, (_, at) => (at === 0 ? 1 : 0));

/** Whoever names a weak key needs no secret to sign under it. */
function forger({ publicKey }: Vector): Signer {
  const key = bytesOf(publicKey);
  return { keyId: keyIdOf(key), publicKey: key, sign: () => nought };
}

let all: Bundles;
beforeAll(async () => {
  all = await makeBundles();
});

const codeOf = (bytes: Uint8Array, id: string, options: Parameters<typeof verifyBundle>[1]): unknown => {
  const { result, checks } = verifyBundle(bytes, options);
  expect(result).toBe("fail");
  const found = checks.find((check) => check.id === id);
  return [found?.state, found?.code];
};

describe("a key of small order, not canonical, or not on the curve", () => {
  it("is one of many, under some of which a signature of nothing would hold", () => {
    const message = Uint8Array.of(1, 2, 3);
    expect(refused.length).toBeGreaterThan(15);
    for (const { publicKey } of refused) {
      expect(admitPublicKey(bytesOf(publicKey))).toMatchObject({ ok: false, error: { code: "EXO_KEY_REFUSED" } });
    }
    const lenient = refused.filter(({ publicKey }) => verifyEd25519(bytesOf(publicKey), message, nought));
    expect(lenient.length).toBeGreaterThan(0);
  });

  it.each(refused)("signs no statement, though the trust file names it: $comment", async (vector) => {
    const weak = forger(vector);
    const forge = new Forge(all.bytes.denied);
    const bytes = await forge.listKey("runtime", weak).pack({ runtime: weak });
    const trust = { ...all.trust, keys: [...all.trust.keys, trusted("runtime", "weak", weak)] };
    expect(codeOf(bytes, "signature", { trust })).toEqual(["fail", "EXO_KEY_REFUSED"]);
    expect(codeOf(bytes, "signature", {})).toEqual(["fail", "EXO_KEY_REFUSED"]);
  });

  it.each(refused)("approves nothing: $comment", async (vector) => {
    const weak = forger(vector);
    const forge = new Forge(all.bytes.approved);
    await forge.resign("approval_grant", weak, (grant) => (grant.approver.keyId = weak.keyId));
    const trust = {
      ...all.trust,
      keys: all.trust.keys.map((key) =>
        key.role === "approver" && key.id === "alice" ? { ...key, publicKey: encodeBase64(weak.publicKey) } : key,
      ),
    };
    expect(trustSchema.safeParse(trust).success).toBe(true);
    expect(codeOf(await forge.pack(), "approvals", { trust })).toEqual(["fail", "EXO_KEY_REFUSED"]);
  });

  it.each(refused)("is no log's and no witness's: $comment", ({ publicKey }) => {
    for (const type of [1, 4] as const) {
      const make = (): unknown => parseVkey(formatVkey(noteKey(origin, bytesOf(publicKey), type)));
      expect(make).toThrow(expect.objectContaining({ code: "EXO_KEY_REFUSED" }));
    }
  });
});
