import { describe, expect, test } from "vitest";
import { checkApproval, openGrant } from "../../src/approval/check.js";
import { holdersOf } from "../../src/approval/exclusion.js";
import { buildRoster } from "../../src/approval/roster.js";
import { digestOfJson } from "../../src/canonical/digest.js";
import { canonicalize } from "../../src/canonical/jcs.js";
import { type Envelope, envelopeSchema, openEnvelope, payloadTypes } from "../../src/contracts/dsse.js";
import { type EnvelopeKey, passkeySchema } from "../../src/contracts/passkey.js";
import { roleKeys, trustedKeySchema, trustSchema } from "../../src/contracts/trust.js";
import { refusedKeyOf } from "../../src/contracts/trust-admission.js";
import { concatBytes, decodeBase64, encodeBase64, encodeUtf8 } from "../../src/crypto/encoding.js";
import { keyIdOf } from "../../src/crypto/key-id.js";
import { sha256 } from "../../src/crypto/sha256.js";
import type { Result } from "../../src/errors.js";
import { consolePlace, type Said, SoftPasskey } from "../support/passkey.js";
import { place, saidBadly, saidWell } from "../support/passkey-cases.js";
import {
  actor,
  alice,
  bob,
  codeOf,
  grantOf,
  keyOf,
  now,
  request as plainRequest,
  requester,
  signAny,
  trustOf,
  unwrap,
} from "./helpers.js";

const phone = new SoftPasskey("phone", place);
const token = new SoftPasskey("token", place);

const request = {
  ...plainRequest,
  roster: [
    { id: "alice", keyIds: [alice.keyId, phone.keyId], roles: ["approver"] },
    { id: "bob", keyIds: [bob.keyId], roles: ["approver"] },
    { id: "carol", keyIds: [token.keyId], roles: ["approver"] },
  ],
};
const requestDigest = digestOfJson(request);
const grant = grantOf(alice, "alice", { requestDigest, approver: { id: "alice", keyId: phone.keyId } });
const keys: readonly EnvelopeKey[] = [alice.publicKey, bob.publicKey, phone.key, token.key];

function said(result: Result<unknown>): string {
  return result.ok ? "ok" : `${result.error.code} ${result.error.message}`;
}

/** What comes of a grant by the phone when something about it is wrong. */
function opening(change: (said: Said) => void): string {
  return said(openGrant(phone.sign(grant, change), keys));
}

describe("a grant by a passkey", () => {
  test("opens, and is the canonical grant", () => {
    const opened = unwrap(openGrant(phone.sign(grant), keys));
    expect(opened.grant).toEqual(grant);
    expect(opened.signerKeyId).toBe(phone.keyId);
  });

  test("keeps to the envelope's contract, and an envelope without an assertion has the bytes it always had", () => {
    expect(envelopeSchema.parse(phone.sign(grant))).toEqual(phone.sign(grant));
    const plain: Envelope = { payloadType: "t", payload: "", signatures: [{ keyid: alice.keyId, sig: "" }] };
    expect(Object.keys(envelopeSchema.parse(plain).signatures[0] ?? {})).toEqual(["keyid", "sig"]);
  });

  test.each(saidWell)("%s opens", (_, change) => {
    expect(opening(change)).toBe("ok");
  });

  test.each(saidBadly)("%s is refused", (_, change, expected) => {
    const got = opening(change);
    expect(got).toMatch(/^EXO_PASSKEY /);
    expect(got).toContain(expected);
  });
});

describe("the signature", () => {
  const good = phone.sign(grant);
  const [signature] = good.signatures;
  if (signature?.webauthn === undefined) throw new Error("no assertion");
  const { webauthn } = signature;
  const data = decodeBase64(webauthn.authenticatorData) ?? new Uint8Array(0);
  const clientData = decodeBase64(webauthn.clientDataJSON) ?? new Uint8Array(0);
  const signed = (sig: Uint8Array): Envelope => ({ ...good, signatures: [{ ...signature, sig: encodeBase64(sig) }] });

  test.each<[string, Uint8Array]>([
    ["over the client data itself", phone.der(concatBytes(data, clientData))],
    ["over the authenticator data alone", phone.der(data)],
    ["over the client data's hash alone", phone.der(sha256(clientData))],
    ["over the payload", phone.der(canonicalize(grant))],
    ["by another passkey", token.der(concatBytes(data, sha256(clientData)))],
    ["that is empty", new Uint8Array(0)],
    ["of 64 bytes, as DSSE has them", new Uint8Array(64).fill(1)],
  ])("%s does not hold", (_, sig) => {
    expect(said(openGrant(signed(sig), keys))).toBe("EXO_SIGNATURE the passkey's signature does not verify");
  });

  test("does not hold for client data written in another way that says the same", () => {
    const spaced = encodeBase64(encodeUtf8(new TextDecoder().decode(clientData).replace("{", "{ ")));
    const other = { ...good, signatures: [{ ...signature, webauthn: { ...webauthn, clientDataJSON: spaced } }] };
    expect(codeOf(openGrant(other, keys))).toBe("EXO_SIGNATURE");
  });

  test("does not hold with another counter", () => {
    const counted = data.slice();
    counted[36] = 9;
    const authenticatorData = encodeBase64(counted);
    const other = { ...good, signatures: [{ ...signature, webauthn: { ...webauthn, authenticatorData } }] };
    expect(codeOf(openGrant(other, keys))).toBe("EXO_SIGNATURE");
  });

  test("base64 that is not canonical is refused", () => {
    for (const name of ["authenticatorData", "clientDataJSON"] as const) {
      const other = { ...good, signatures: [{ ...signature, webauthn: { ...webauthn, [name]: "AB==" } }] };
      expect(said(openGrant(other, keys))).toBe("EXO_PASSKEY the assertion is not standard padded base64");
    }
  });
});

describe("an envelope", () => {
  const byPhone = phone.sign(grant);

  test.each([payloadTypes.policy, payloadTypes.killSwitch, payloadTypes.resolution, payloadTypes.statement])(
    "of %s does not open under a passkey, whatever it holds",
    (type) => {
      expect(said(openEnvelope(phone.sign(grant, undefined, type), type, keys))).toBe(
        `EXO_ENVELOPE a passkey does not sign ${type}`,
      );
    },
  );

  test("of a challenge is no grant, and of a grant no challenge, though both types are signed by passkeys", () => {
    const challenge = phone.sign(grant, undefined, payloadTypes.challenge);
    expect(openEnvelope(challenge, payloadTypes.challenge, keys).ok).toBe(true);
    expect(codeOf(openGrant(challenge, keys))).toBe("EXO_ENVELOPE");
    // The type is outside what is signed: the document's own schema is what tells them apart.
    const posing = phone.sign({ ...grant, schema: "exoarmur.control-challenge/v1" });
    expect(codeOf(openGrant(posing, keys))).toBe("EXO_SCHEMA");
  });

  test("of a passkey without its assertion, or of another key with one, is refused", () => {
    const [one] = byPhone.signatures;
    if (one === undefined) throw new Error("no signature");
    const { webauthn: _, ...bare } = one;
    expect(said(openGrant({ ...byPhone, signatures: [bare] }, keys))).toBe(
      `EXO_ENVELOPE key ${phone.keyId} is a passkey, and does not sign as one`,
    );
    const posing = { ...byPhone, signatures: [{ ...one, keyid: alice.keyId }] };
    expect(said(openGrant(posing, keys))).toBe(`EXO_ENVELOPE key ${alice.keyId} is no passkey, and signs as one`);
  });

  test("by a passkey that nobody trusts is refused", () => {
    expect(codeOf(openGrant(byPhone, [alice.publicKey, token.key]))).toBe("EXO_TRUST");
  });

  test("by a passkey whose key is not admitted is refused", () => {
    const [one] = byPhone.signatures;
    const nowhere = Uint8Array.from([2, ...new Uint8Array(31), 1]);
    for (const [publicKey, expected] of [
      [nowhere, "EXO_KEY_REFUSED The public key 02"],
      [alice.publicKey, "EXO_KEY A P-256 public key has 33 bytes, this one has 32."],
    ] as const) {
      const posing = { ...byPhone, signatures: [{ ...one, sig: one?.sig ?? "", keyid: keyIdOf(publicKey) }] };
      expect(said(openGrant(posing, [{ ...phone.key, publicKey }]))).toContain(expected);
      // The same bytes as a key of the other kind are no key of it.
      if (publicKey !== alice.publicKey) expect(codeOf(openGrant(posing, [publicKey]))).toBe("EXO_ENVELOPE");
    }
  });

  test("with two signatures, one of each kind, is refused", async () => {
    const byAlice = await signAny(alice, grant);
    const both = { ...byPhone, signatures: [...byPhone.signatures, ...byAlice.signatures] };
    expect(said(openGrant(both, keys))).toBe("EXO_ENVELOPE expected one signature on a grant, got 2");
    const twice = { ...byPhone, signatures: [...byPhone.signatures, ...byPhone.signatures] };
    expect(said(openGrant(twice, keys))).toBe(`EXO_ENVELOPE key ${phone.keyId} signs twice`);
  });

  test.each([
    ["an assertion with another member", { ...byPhone.signatures[0]?.webauthn, userHandle: "AAAA" }],
    ["half an assertion", { authenticatorData: "AAAA" }],
    ["a huge assertion", { authenticatorData: "AAAA", clientDataJSON: "A".repeat(5468) }],
    ["authenticator data that is huge", { authenticatorData: "A".repeat(1372), clientDataJSON: "AAAA" }],
    ["an assertion of null", null],
  ])("with %s is none", (_, webauthn) => {
    const [one] = byPhone.signatures;
    expect(envelopeSchema.safeParse({ ...byPhone, signatures: [{ ...one, webauthn }] }).success).toBe(false);
  });
});

describe("a person", () => {
  const trust = trustOf(
    keyOf(alice, "alice"),
    phone.entry("alice-phone", { person: "alice" }),
    keyOf(bob, "bob"),
    token.entry("carol"),
  );

  test("is one entry of the roster with every key of theirs, of either kind", () => {
    const input = { trust, requester, actor, tenantId: "default", roles: ["approver"], logSize: 10 };
    expect(buildRoster(input)).toEqual([
      { id: "alice", keyIds: [alice.keyId, phone.keyId].sort(), roles: ["approver"] },
      { id: "bob", keyIds: [bob.keyId], roles: ["approver"] },
      { id: "carol", keyIds: [token.keyId], roles: ["approver"] },
    ]);
    for (const name of ["alice-phone", phone.keyId]) {
      const asked = buildRoster({ ...input, requester: { ...requester, principal: name } });
      expect(asked.map(({ id }) => id)).toEqual(["bob", "carol"]);
      expect(holdersOf(trust.keys, new Set([name]))).toEqual(new Set(["alice"]));
    }
  });

  test("under whose passkey another person is listed too counts for neither", () => {
    const shared = trustOf(...trust.keys, phone.entry("dave"));
    const input = { trust: shared, requester, actor, tenantId: "default", roles: ["approver"], logSize: 10 };
    expect(buildRoster(input).map(({ id, keyIds }) => [id, keyIds])).toEqual([
      ["alice", [alice.keyId]],
      ["bob", [bob.keyId]],
      ["carol", [token.keyId]],
    ]);
  });

  const check = (...envelopes: Envelope[]): string =>
    said(
      checkApproval({
        ...{ request, requestDigest, envelopes, requester, actor, startedAt: now },
        keys: roleKeys(trust, "approver", 10).map(({ envelopeKey }) => envelopeKey),
      }),
    );
  const byAlice = async (): Promise<Envelope> =>
    await signAny(alice, { ...grant, approver: { id: "alice", keyId: alice.keyId } });
  const byBob = async (): Promise<Envelope> => await signAny(bob, grantOf(bob, "bob", { requestDigest }));

  test("approves with a passkey as with any other key, beside one who does not", async () => {
    expect(check(phone.sign(grant), await byBob())).toBe("ok");
    expect(check(await byBob(), phone.sign(grant))).toBe("ok");
    const byToken = { ...grant, approver: { id: "carol", keyId: token.keyId } };
    expect(check(phone.sign(grant), token.sign(byToken))).toBe("ok");
  });

  test("counts once, with whichever key and by whatever signature", async () => {
    const duplicate = "EXO_APPROVAL_DUPLICATE alice has already decided";
    expect(check(phone.sign(grant), await byAlice())).toBe(duplicate);
    expect(check(await byAlice(), phone.sign(grant))).toBe(duplicate);
    const again = phone.sign({ ...grant, nonce: "B".repeat(43) }, (one) => (one.counter = 2));
    expect(check(phone.sign(grant), again)).toBe(duplicate);
  });

  test("who denies with a passkey closes the request, and needs a reason", async () => {
    const deny = { ...grant, decision: "deny" as const, reason: "no" };
    expect(check(phone.sign(deny), await byBob())).toBe("EXO_APPROVAL_DENIED alice denied the request");
    const { reason: _, ...silent } = deny;
    expect(check(phone.sign(silent))).toBe("EXO_APPROVAL_REASON approval grant: a deny needs a reason");
  });

  test("does not sign with a passkey of somebody else's", () => {
    const posing = token.sign({ ...grant, approver: { id: "alice", keyId: token.keyId } });
    expect(check(posing)).toBe(`EXO_APPROVAL_APPROVER alice with key ${token.keyId} is not in the request's roster`);
    expect(check(token.sign(grant))).toBe(
      `EXO_APPROVAL_APPROVER the grant names key ${phone.keyId}, but ${token.keyId} signed it`,
    );
  });
});

describe("a trust file", () => {
  test("has passkeys as approvers, each admitted by its own curve", () => {
    const trust = trustSchema.parse(trustOf(keyOf(alice, "alice"), phone.entry("alice-phone", { person: "alice" })));
    expect(refusedKeyOf(trust)).toBeUndefined();
    expect(roleKeys(trust, "approver", 0).map(({ envelopeKey }) => envelopeKey)).toEqual([alice.publicKey, phone.key]);
  });

  test("has none in another role", () => {
    for (const role of ["operator", "policy-author", "runtime", "publisher", "verifier"] as const) {
      const parsed = trustSchema.safeParse(trustOf(phone.entry("x", { role })));
      expect(parsed.error?.issues[0]?.message).toBe("expected passkeys only with keys of the role approver");
    }
  });

  test.each([
    ["a passkey with an Ed25519 key", phone.entry("x", { publicKey: encodeBase64(alice.publicKey) }), "EXO_KEY"],
    ["a P-256 key that is said to be no passkey", keyOf({ ...alice, publicKey: phone.publicKey }, "x"), "EXO_KEY"],
    [
      "a passkey that is on no curve",
      phone.entry("x", { publicKey: encodeBase64(Uint8Array.from([2, ...new Uint8Array(31), 1])) }),
      "EXO_KEY_REFUSED",
    ],
  ])("%s is refused", (_, entry, code) => {
    expect(refusedKeyOf(trustOf(entry))?.error.code).toBe(code);
    expect(refusedKeyOf(trustOf(entry))?.pointer).toBe("/keys/0/publicKey");
  });

  const { passkey } = phone.entry("x");
  test.each<[string, object]>([
    ["no origin", { origins: [] }],
    ["an origin with a path", { origins: ["https://example.com/"] }],
    ["an origin with its default port", { origins: ["https://example.com:443"] }],
    ["an origin in capitals", { origins: ["https://Example.com"] }],
    ["an origin by http", { origins: ["http://example.com"] }],
    ["an origin of another domain", { origins: ["https://example.org"] }],
    ["an origin of a sibling that ends alike", { origins: ["https://evilexample.com"] }],
    ["an origin of the domain above", { rpId: "console.example.com", origins: ["https://example.com"] }],
    ["one origin that is not its own", { origins: ["https://example.com", "https://example.org"] }],
    ["an origin of an app", { origins: ["android:apk-key-hash:abc"] }],
    ["a relying party that is an address", { rpId: "127.0.0.1", origins: ["https://127.0.0.1"] }],
    ["a relying party in capitals", { rpId: "Example.com" }],
    ["a relying party with a scheme", { rpId: "https://example.com" }],
    ["no relying party", { rpId: undefined }],
    ["no credential id", { credentialId: "" }],
    ["a credential id in standard base64", { credentialId: "ab+/" }],
    ["a credential id that is not canonical", { credentialId: "AB" }],
    ["another member", { userHandle: "x" }],
  ])("a passkey with %s is refused", (_, change) => {
    const entry = { ...phone.entry("x"), passkey: { ...passkey, ...change } };
    expect(trustedKeySchema.safeParse(entry).success).toBe(false);
  });

  test.each([
    { rpId: "localhost", origins: ["http://localhost:7411", "https://localhost"] },
    { rpId: "a.localhost", origins: ["http://a.localhost:7411"] },
    consolePlace,
  ])("a passkey of $rpId may be had at $origins", (where) => {
    expect(passkeySchema.safeParse({ ...passkey, ...where }).success).toBe(true);
  });
});
