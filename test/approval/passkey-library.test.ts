import { expect, test } from "vitest";
import { openGrant } from "../../src/approval/check.js";
import type { Envelope } from "../../src/contracts/dsse.js";
import { encodeBase64 } from "../../src/crypto/encoding.js";
import { askLibrary, SoftPasskey } from "../support/passkey.js";
import { place, saidBadly, saidWell } from "../support/passkey-cases.js";
import { alice, grantOf } from "./helpers.js";

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
  "that is huge",
];

const phone = new SoftPasskey("phone", place);
const other = new SoftPasskey("other", place);
const grant = grantOf(alice, "alice", { approver: { id: "alice", keyId: phone.keyId } });

async function verdicts(envelope: Envelope): Promise<{ ours: boolean; theirs: boolean }> {
  return { ours: openGrant(envelope, [phone.key]).ok, theirs: (await askLibrary(envelope, phone.key)) === "ok" };
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
