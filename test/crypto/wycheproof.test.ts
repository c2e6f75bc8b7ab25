import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { admitPublicKey, verifyEd25519 } from "../../src/crypto/ed25519.js";
import { decodeHex } from "../../src/crypto/encoding.js";

type Case = { tcId: number; comment: string; msg: string; sig: string; result: string; flags: string[] };
type Group = { publicKey: { pk: string }; tests: Case[] };

const file = new URL("../vectors/wycheproof/ed25519_test.json", import.meta.url);
const { numberOfTests, testGroups } = JSON.parse(readFileSync(file, "utf8")) as {
  numberOfTests: number;
  testGroups: Group[];
};
const cases = testGroups.flatMap(({ publicKey, tests }) =>
  tests.map((one) => ({ ...one, pk: publicKey.pk, name: `${one.tcId} ${one.flags.join(" ")} ${one.comment}` })),
);

const bytesOf = (hex: string): Uint8Array => decodeHex(hex) ?? expect.fail(`not hex: ${hex}`);

describe("Wycheproof", () => {
  test("has all its cases, and more to refuse than one kind", () => {
    expect(cases).toHaveLength(numberOfTests);
    expect(cases.filter(({ result }) => result === "valid").length).toBe(88);
    expect(new Set(cases.filter(({ result }) => result === "invalid").flatMap(({ flags }) => flags)).size).toBe(7);
  });

  test.each(cases)("$name: $result", ({ pk, msg, sig, result }) => {
    const key = bytesOf(pk);
    expect(admitPublicKey(key).ok).toBe(true);
    expect(verifyEd25519(key, bytesOf(msg), bytesOf(sig))).toBe(result === "valid");
  });
});
