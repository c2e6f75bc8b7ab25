import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { openGrant } from "../../src/approval/check.js";
import { digestOfJson } from "../../src/canonical/digest.js";
import { approvalRequestSchema } from "../../src/contracts/approval.js";
import { type Envelope, envelopeSchema } from "../../src/contracts/dsse.js";
import type { PasskeyKey } from "../../src/contracts/passkey.js";
import { roleKeys, trustSchema } from "../../src/contracts/trust.js";
import { refusedKeyOf } from "../../src/contracts/trust-admission.js";
import { encodeBase64 } from "../../src/crypto/encoding.js";
import { askLibrary, SoftPasskey } from "../support/passkey.js";
import { place, saidBadly, saidWell } from "../support/passkey-cases.js";
import { alice, grantOf, trustOf, unwrap } from "./helpers.js";

/**
 * Our check of an assertion and @simplewebauthn/server's, of the same bytes. The library may be the milder one, in these
 * places and in no other; it is never the stricter one.
 */
const milder = [
  // It compares origin and topOrigin, and takes a frame of another origin that does not say under which it is.
  "from a frame of another origin",
  "that says crossOrigin in words",
  // It reads authenticator data by its flags and leaves those alone that it does not know.
  "with the reserved flag 1",
  "with the reserved flag 5",
  "with extensions",
  // It reads JSON with a mark before it, as the standard says to, takes the last of two members, and any size.
  "whose client data begins with a mark",
  "that says its origin twice",
  "of a byte more than it may have",
];

const phone = new SoftPasskey("phone", place);
const other = new SoftPasskey("other", place);
const grant = grantOf(alice, "alice", { approver: { id: "alice", keyId: phone.keyId } });

async function verdicts(envelope: Envelope, key = phone.key): Promise<{ ours: boolean; theirs: boolean }> {
  return { ours: openGrant(envelope, [key]).ok, theirs: (await askLibrary(envelope, key)) === "ok" };
}

test.each([["as it should be", () => undefined] as const, ...saidWell])("%s: both take it", async (_, change) => {
  expect(await verdicts(phone.sign(grant, change))).toEqual({ ours: true, theirs: true });
});

test.each(saidBadly)("%s: we refuse it, and so does the library unless it is listed", async (name, change) => {
  expect(await verdicts(phone.sign(grant, change))).toEqual({ ours: false, theirs: milder.includes(name) });
});

test("every listed case is one", () => {
  expect(milder.filter((name) => !saidBadly.some(([one]) => one === name))).toEqual([]);
});

test("both refuse another passkey's signature, another payload and a signature of no form", async () => {
  const good = phone.sign(grant);
  const [one] = good.signatures;
  const [foreign] = other.sign(grant).signatures;
  if (one === undefined || foreign === undefined) throw new Error("no signature");
  const deny = phone.sign({ ...grant, decision: "deny", reason: "no" });
  for (const wrong of [
    { ...good, signatures: [{ ...one, sig: foreign.sig }] },
    { ...good, payload: deny.payload },
    { ...good, signatures: [{ ...one, sig: encodeBase64(new Uint8Array(8)) }] },
  ])
    expect(await verdicts(wrong)).toEqual({ ours: false, theirs: false });
});

describe("decisions that were signed in Chromium", () => {
  const file = new URL("../vectors/passkey/chromium.json", import.meta.url);
  const recorded = JSON.parse(readFileSync(file, "utf8"));
  const trust = trustSchema.parse(trustOf(recorded.entry));
  const [key] = roleKeys(trust, "approver", 0).map(({ envelopeKey }) => envelopeKey as PasskeyKey);
  const [approve, deny] = [recorded.approve, recorded.deny].map((one) => envelopeSchema.parse(one));
  if (key === undefined || approve === undefined || deny === undefined) throw new Error("not a recording");

  test("hold for both, and are about the request", async () => {
    expect(refusedKeyOf(trust)).toBeUndefined();
    const requestDigest = digestOfJson(approvalRequestSchema.parse(recorded.request));
    for (const [envelope, decision] of [
      [approve, "approve"],
      [deny, "deny"],
    ] as const) {
      expect(await verdicts(envelope, key)).toEqual({ ours: true, theirs: true });
      expect(unwrap(openGrant(envelope, [key])).grant).toMatchObject({ requestDigest, decision });
    }
  });

  test("hold for neither with the other's payload, at another origin, or of another relying party", async () => {
    const no = { ours: false, theirs: false };
    expect(await verdicts({ ...approve, payload: deny.payload }, key)).toEqual(no);
    expect(await verdicts({ ...approve, signatures: deny.signatures }, key)).toEqual(no);
    expect(await verdicts(approve, { ...key, origins: ["https://console.localhost"] })).toEqual(no);
    expect(await verdicts(approve, { ...key, rpId: "localhost" })).toEqual(no);
    expect(openGrant({ ...approve, signatures: [...approve.signatures, ...deny.signatures] }, [key]).ok).toBe(false);
  });
});
