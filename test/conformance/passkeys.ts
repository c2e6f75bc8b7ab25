import { canonicalize } from "../../src/canonical/jcs.js";
import { type Envelope, payloadTypes, signEnvelope } from "../../src/contracts/dsse.js";
import type { Passkey } from "../../src/contracts/passkey.js";
import type { Trust } from "../../src/contracts/trust.js";
import { encodeUtf8 } from "../../src/crypto/encoding.js";
import { sha256 } from "../../src/crypto/sha256.js";
import type { ErrorCode } from "../../src/errors.js";
import { Forge } from "../support/forge.js";
import { client, type Said } from "../support/passkey.js";
import { byPasskey, decision, type PasskeyBundles, passkeyBundles, passkeys } from "../support/passkey-bundles.js";
import { keys } from "../support/world.js";
import type { Case } from "./vector.js";

/** Assertions over the very grant, each wrong in one thing. */
const assertions: readonly (readonly [string, (said: Said) => void])[] = [
  ["made when the passkey was", client("type", "webauthn.create")],
  ["of another challenge", client("challenge", "A".repeat(43))],
  ["asked for by another site", client("origin", "https://console.example.org")],
  ["asked for by http", client("origin", "http://console.example.com")],
  ["asked for in a frame of another site", client("crossOrigin", true)],
  ["asked for under another site", client("topOrigin", "https://evil.example")],
  [
    "that says its origin twice",
    (said) => {
      said.clientData = JSON.stringify(said.clientData).replace("{", '{"origin":"https://evil.example",');
    },
  ],
  ["for the domain above", (said) => (said.rpIdHash = sha256(encodeUtf8("example.com")))],
  ["while nobody was present", (said) => (said.flags = 0x04)],
  ["while nobody was verified", (said) => (said.flags = 0x01)],
  ["with a reserved flag", (said) => (said.flags |= 0x02)],
  ["with bytes after the counter", (said) => (said.more = Uint8Array.of(0))],
  ["backed up though it may not be", (said) => (said.flags |= 0x10)],
  ["with an extension's output", (said) => Object.assign(said, { flags: 0x85, more: Uint8Array.of(0xa0) })],
  ["with a new credential in it", (said) => Object.assign(said, { flags: 0x45, more: new Uint8Array(55) })],
  ["whose client data is a list", (said) => (said.clientData = "[]")],
  [
    "whose client data has a byte more than it may",
    (said) => {
      const text = JSON.stringify(said.clientData);
      said.clientData = text.replace("{", `{"x":"${"x".repeat(4097 - text.length - '"x":"",'.length)}",`);
    },
  ],
];

/** Envelopes that are wrong in another way, with what refuses them. */
async function envelopes({ request }: PasskeyBundles): Promise<readonly (readonly [string, ErrorCode, Envelope])[]> {
  const good = byPasskey(request, "alice");
  const deny = byPasskey(request, "alice", undefined, { decision: "deny", reason: "no" });
  const [signature] = good.signatures;
  const own = decision(request, "alice", passkeys.alice.keyId);
  const [second] = (await signEnvelope(payloadTypes.approvalGrant, canonicalize(own), keys.alice)).signatures;
  if (signature === undefined || second === undefined) throw new Error("no signature");
  const { webauthn: _, ...bare } = signature;
  const [foreign] = passkeys.mallory.sign(own).signatures;
  return [
    ["a denial's assertion over the approval", "EXO_PASSKEY", { ...good, signatures: deny.signatures }],
    [
      "another passkey's signature",
      "EXO_SIGNATURE",
      { ...good, signatures: [{ ...signature, sig: foreign?.sig ?? "" }] },
    ],
    ["a passkey's signature without its assertion", "EXO_ENVELOPE", { ...good, signatures: [bare] }],
    [
      "an assertion by a key that is no passkey",
      "EXO_ENVELOPE",
      { ...good, signatures: [{ ...signature, keyid: keys.alice.keyId }] },
    ],
    ["signatures of both kinds", "EXO_ENVELOPE", { ...good, signatures: [signature, second] }],
    ["a passkey that nobody trusts", "EXO_TRUST", passkeys.mallory.sign(own)],
  ];
}

/** Trust files under which the honest bundle is wrong. */
function trusts(trust: Trust): readonly (readonly [string, ErrorCode, Trust])[] {
  const own = (change: (passkey: Passkey) => Passkey): Trust => ({
    ...trust,
    keys: trust.keys.map(({ passkey, ...key }) => (passkey === undefined ? key : { ...key, passkey: change(passkey) })),
  });
  const other = trust.keys.map((key) => (key.id === "alice-phone" ? { ...key, person: "dave" } : key));
  return [
    ["that pins another origin", "EXO_PASSKEY", own((one) => ({ ...one, origins: ["https://x.console.example.com"] }))],
    ["that pins another relying party", "EXO_PASSKEY", own((one) => ({ ...one, rpId: "example.com" }))],
    ["in which the passkey is another person's", "EXO_TRUST", { ...trust, keys: other }],
    ["without the passkey", "EXO_TRUST", { ...trust, keys: trust.keys.filter(({ passkey }) => passkey === undefined) }],
  ];
}

/** Bundles that passkeys approved and denied, and what is wrong with one grant or trust file. */
export async function passkeyCases(): Promise<Case[]> {
  const all = await passkeyBundles();
  const { trust, approved, denied, request } = all;
  const honest: Case = { about: "approved by a passkey and a key", bytes: await new Forge(approved).pack(), trust };
  const wrongly = async (about: string, code: ErrorCode, envelope: Envelope): Promise<Case> => {
    const forge = new Forge(approved);
    await forge.set("approval_grant", canonicalize(envelope));
    const wrong = { check: "approvals", code };
    return { about: `approvals: approved, ${about}`, bytes: await forge.pack(), trust, wrong, twin: honest };
  };
  const cases = [honest, { about: "denied by a passkey", bytes: denied, trust }];
  for (const [about, change] of assertions) {
    cases.push(await wrongly(`an assertion ${about}`, "EXO_PASSKEY", byPasskey(request, "alice", change)));
  }
  for (const [about, code, envelope] of await envelopes(all)) cases.push(await wrongly(about, code, envelope));
  for (const [about, code, other] of trusts(trust)) {
    const wrong = { check: "approvals", code };
    cases.push({
      ...honest,
      about: `approvals: approved, under a trust file ${about}`,
      trust: other,
      wrong,
      twin: honest,
    });
  }
  return cases;
}
