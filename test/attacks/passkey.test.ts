import { beforeEach, describe, expect, test } from "vitest";
import { canonicalize } from "../../src/canonical/jcs.js";
import type { ApprovalRequest } from "../../src/contracts/approval.js";
import { type Envelope, payloadTypes, signEnvelope } from "../../src/contracts/dsse.js";
import { refusedKeyOf } from "../../src/contracts/trust-admission.js";
import { decodeBase64, encodeBase64, encodeUtf8 } from "../../src/crypto/encoding.js";
import { sha256 } from "../../src/crypto/sha256.js";
import { isExoArmurError } from "../../src/errors.js";
import { verifyBundle } from "../../src/verify/verify-bundle.js";
import { passkeyCases } from "../conformance/passkeys.js";
import { Forge } from "../support/forge.js";
import { client, type Said, SoftPasskey } from "../support/passkey.js";
import {
  askToRemove,
  byKey,
  byPasskey,
  decision,
  passkeyBundles,
  passkeyRig,
  passkeys,
} from "../support/passkey-bundles.js";
import { checkStore, type Rig } from "../support/rig.js";
import { freshNonce } from "../support/sign.js";
import { keys, trusted, trustOf, usualKeys } from "../support/world.js";

let rig: Rig;
let request: ApprovalRequest;
let other: ApprovalRequest;

beforeEach(async () => {
  rig = await passkeyRig();
  ({ request } = await askToRemove(rig, "a"));
  ({ request: other } = await askToRemove(rig, "b"));
});

/** The code a grant is refused with; the request waits on as it did, and nothing of the grant is recorded. */
async function refusal(envelope: Envelope): Promise<string> {
  const before = rig.ledger.size;
  try {
    const { status } = await rig.pipeline.decide(envelope);
    return status;
  } catch (error) {
    if (!isExoArmurError(error)) throw error;
    expect(rig.ledger.size).toBe(before);
    expect(rig.pipeline.status(request.intentId).status).toBe("approval_pending");
    return error.code;
  }
}

const changed = (envelope: Envelope, part: "authenticatorData" | "clientDataJSON", bytes: Uint8Array): Envelope => {
  const [one] = envelope.signatures;
  if (one?.webauthn === undefined) throw new Error("no assertion");
  return { ...envelope, signatures: [{ ...one, webauthn: { ...one.webauthn, [part]: encodeBase64(bytes) } }] };
};

describe("an assertion", () => {
  test("counts where it was made for, so that what follows is refused for what is wrong with it", async () => {
    expect(await refusal(byPasskey(request, "alice"))).toBe("approval_pending");
    expect(await refusal(await byKey(request, "bob", keys.bob))).toBe("executed");
    checkStore(rig);
  });

  test("replayed for another request is refused", async () => {
    const first = byPasskey(request, "alice");
    const second = byPasskey(other, "alice");
    expect(await refusal({ ...second, signatures: first.signatures })).toBe("EXO_PASSKEY");
    expect(await refusal(first)).toBe("approval_pending");
    expect(await refusal(first)).toBe("EXO_APPROVAL_DUPLICATE");
  });

  test("of a denial does not approve, nor of an approval deny", async () => {
    const approve = byPasskey(request, "alice");
    const deny = byPasskey(request, "alice", undefined, { decision: "deny", reason: "no" });
    expect(await refusal({ ...approve, signatures: deny.signatures })).toBe("EXO_PASSKEY");
    expect(await refusal({ ...deny, signatures: approve.signatures })).toBe("EXO_PASSKEY");
  });

  test("does not carry words that the person never signed", async () => {
    const deny = byPasskey(request, "alice", undefined, { decision: "deny", reason: "no" });
    const gladly = byPasskey(request, "alice", undefined, { decision: "deny", reason: "gladly" });
    expect(await refusal({ ...gladly, signatures: deny.signatures })).toBe("EXO_PASSKEY");
  });

  test("of a session's challenge does not approve, and of a grant opens no session", async () => {
    const grant = decision(request, "alice", passkeys.alice.keyId);
    const login = passkeys.alice.sign({ ...grant, schema: "exoarmur.control-challenge/v1" });
    expect(await refusal({ ...login, payloadType: payloadTypes.challenge })).toBe("EXO_ENVELOPE");
    expect(await refusal(login)).toBe("EXO_SCHEMA");
  });

  test.each<[string, (said: Said) => void]>([
    ["of a phished origin", client("origin", "https://console-example.com")],
    ["of an origin that ends like it", client("origin", "https://console.example.com.evil.example")],
    ["of a sibling's relying party", (said) => (said.rpIdHash = sha256(encodeUtf8("evil.example.com")))],
    ["of the relying party above", (said) => (said.rpIdHash = sha256(encodeUtf8("example.com")))],
    ["by whoever found the device unlocked", (said) => (said.flags &= ~0x04)],
    ["that no hand was at", (said) => (said.flags &= ~0x01)],
    ["from a frame in another site", client("crossOrigin", true)],
    [
      "from a frame that is said to be none",
      (said) => {
        said.clientData = JSON.stringify(said.clientData).replace(/}$/, ',"crossOrigin":true}');
      },
    ],
    ["of an enrolment", client("type", "webauthn.create")],
    ["with an extension's output", (said) => Object.assign(said, { flags: 0x85, more: Uint8Array.of(0xa0) })],
    ["with a new credential in it", (said) => Object.assign(said, { flags: 0x45, more: new Uint8Array(55) })],
  ])("%s is refused", async (_, change) => {
    expect(await refusal(byPasskey(request, "alice", change))).toBe("EXO_PASSKEY");
  });

  test("cut short at every length is refused", async () => {
    const good = byPasskey(request, "alice");
    const data = decodeBase64(good.signatures[0]?.webauthn?.authenticatorData ?? "") ?? new Uint8Array(0);
    expect(data).toHaveLength(37);
    for (let length = 0; length < 37; length++) {
      expect(await refusal(changed(good, "authenticatorData", data.subarray(0, length)))).toBe("EXO_PASSKEY");
    }
  });

  test("with a huge part is refused unread", async () => {
    const good = byPasskey(request, "alice");
    for (const part of ["authenticatorData", "clientDataJSON"] as const) {
      expect(await refusal(changed(good, part, new Uint8Array(1_000_000)))).toBe("EXO_SCHEMA");
    }
    const deep = encodeUtf8(`${"[".repeat(4000)}`);
    expect(await refusal(changed(good, "clientDataJSON", deep))).toBe("EXO_PASSKEY");
  });

  test("with any bit of it flipped is refused", async () => {
    const good = byPasskey(request, "alice");
    for (const part of ["authenticatorData", "clientDataJSON"] as const) {
      const bytes = decodeBase64(good.signatures[0]?.webauthn?.[part] ?? "") ?? new Uint8Array(0);
      for (let bit = 0; bit < bytes.length * 8; bit += 5) {
        const flipped = bytes.slice();
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(["EXO_PASSKEY", "EXO_SIGNATURE"]).toContain(await refusal(changed(good, part, flipped)));
      }
    }
  });
});

describe("a key", () => {
  test("of the other curve under a passkey's id, and the reverse, is refused", async () => {
    const good = byPasskey(request, "alice");
    const [one] = good.signatures;
    const payload = decodeBase64(good.payload) ?? new Uint8Array(0);
    const [dsse] = (await signEnvelope(payloadTypes.approvalGrant, payload, keys.alice)).signatures;
    if (one === undefined || dsse === undefined) throw new Error("no signature");
    const signed = (signature: Envelope["signatures"][number]): Envelope => ({ ...good, signatures: [signature] });
    expect(await refusal(signed({ ...dsse, keyid: one.keyid }))).toBe("EXO_ENVELOPE");
    expect(await refusal(signed({ ...one, keyid: dsse.keyid }))).toBe("EXO_ENVELOPE");
    expect(await refusal(signed({ ...one, sig: dsse.sig }))).toBe("EXO_SIGNATURE");
    expect(await refusal(signed({ ...dsse, webauthn: one.webauthn }))).toBe("EXO_ENVELOPE");
    expect(await refusal(signed(dsse))).toBe("EXO_APPROVAL_APPROVER");
    expect(await refusal({ ...good, signatures: [one, dsse] })).toBe("EXO_ENVELOPE");
    expect(await refusal({ ...good, signatures: [dsse, one] })).toBe("EXO_ENVELOPE");
  });

  test("that the trust file gives to the wrong kind signs in neither", async () => {
    const { passkey, ...bare } = passkeys.alice.entry("alice-phone", { person: "alice" });
    const posing = trusted("approver", "bob", keys.bob, { passkey: passkeys.carol.passkey });
    expect(refusedKeyOf(trustOf([bare]))?.error.code).toBe("EXO_KEY");
    expect(refusedKeyOf(trustOf([posing]))?.error.code).toBe("EXO_KEY");
    expect(passkey).toBeDefined();
    // A runtime does not start with such a file; should one be used all the same, nothing opens under those keys.
    const trustKeys = [...usualKeys.filter(({ role }) => role !== "approver"), bare, posing];
    rig = await passkeyRig({ trustKeys, seed: "confused" });
    ({ request } = await askToRemove(rig, "a"));
    expect(request.roster.map(({ id }) => id)).toEqual(["alice", "bob"]);
    const good = byPasskey(request, "alice");
    expect(await refusal(good)).toBe("EXO_ENVELOPE");
    const [{ webauthn: _, ...dsse } = { keyid: "", sig: "" }] = good.signatures;
    expect(await refusal({ ...good, signatures: [dsse] })).toBe("EXO_KEY");
    expect(await refusal(await byKey(request, "bob", keys.bob))).toBe("EXO_ENVELOPE");
    const [assertion] = passkeys.carol.sign(decision(request, "bob", keys.bob.keyId)).signatures;
    if (assertion === undefined) throw new Error("no signature");
    const byBob = await byKey(request, "bob", keys.bob);
    expect(await refusal({ ...byBob, signatures: [{ ...assertion, keyid: keys.bob.keyId }] })).toBe("EXO_KEY");
  });

  test("that nobody entered into the trust file approves nothing, whatever name it gives", async () => {
    const { mallory } = passkeys;
    expect(await refusal(mallory.sign(decision(request, "alice", mallory.keyId)))).toBe("EXO_TRUST");
    const posing = mallory.sign(decision(request, "alice", passkeys.alice.keyId));
    const [one] = posing.signatures;
    if (one === undefined) throw new Error("no signature");
    const renamed = { ...posing, signatures: [{ ...one, keyid: passkeys.alice.keyId }] };
    expect(await refusal(renamed)).toBe("EXO_SIGNATURE");
  });

  test("of an approver's passkey gives no orders and signs no policy", async () => {
    const sign = (document: object, type: string): Envelope => passkeys.alice.sign(document, undefined, type);
    const order = {
      schema: "exoarmur.kill-switch/v1",
      ...{ cellId: "local", scope: "global", tenantId: null, on: true, nonce: freshNonce() },
      operator: { id: "ops", keyId: passkeys.alice.keyId },
      signedAt: request.requestedAt,
    };
    const code = (error: unknown): string => (isExoArmurError(error) ? error.code : String(error));
    expect(await rig.pipeline.switchKill(sign(order, payloadTypes.killSwitch)).catch(code)).toBe("EXO_TRUST");
    const policy = { schema: "exoarmur.policy/v1", policyId: "test", version: 2, rules: [] };
    const activated = await rig.pipeline.activatePolicy(sign(policy, payloadTypes.policy)).catch(code);
    expect(activated).toBe("EXO_POLICY_UNSIGNED");
  });

  test("and a passkey of one person are one voice, and the requester's other key bars the passkey", async () => {
    expect(await refusal(byPasskey(request, "alice"))).toBe("approval_pending");
    expect(await refusal(await byKey(request, "alice", keys.alice))).toBe("EXO_APPROVAL_DUPLICATE");
    expect(await refusal(byPasskey(request, "carol"))).toBe("executed");
    const own = new SoftPasskey("agent's", { rpId: "example.com", origins: ["https://example.com"] });
    const trustKeys = [
      ...usualKeys,
      trusted("approver", "report-agent", keys.otherAuthor, { person: "dave" }),
      own.entry("dave-phone", { person: "dave" }),
    ];
    const barred = await passkeyRig({ trustKeys, seed: "barred" });
    const asked = await askToRemove(barred, "a");
    expect(asked.request.roster.map(({ id }) => id)).toEqual(["alice", "bob", "carol"]);
  });
});

describe("a bundle", () => {
  test("is verified offline from itself, by trust file and by its own keys, and lists what a passkey is pinned to", async () => {
    const { approved, denied, trust } = await passkeyBundles();
    for (const bytes of [approved, denied]) {
      expect(verifyBundle(bytes, { trust })).toMatchObject({ result: "pass", trustMode: "pinned" });
      expect(verifyBundle(bytes)).toMatchObject({ result: "pass", trustMode: "self_check_only" });
    }
    const listed = new Forge(approved).predicate.keys.filter(({ role }) => role === "approver");
    const { rpId, origins } = passkeys.alice.passkey;
    expect(listed).toEqual([
      {
        role: "approver",
        keyId: passkeys.alice.keyId,
        publicKey: encodeBase64(passkeys.alice.publicKey),
        passkey: { rpId, origins },
      },
      { role: "approver", keyId: keys.bob.keyId, publicKey: encodeBase64(keys.bob.publicKey) },
    ]);
  });

  test("whose runtime lists a passkey otherwise is refused", async () => {
    const { approved, trust } = await passkeyBundles();
    const wrong = async (change: (key: { role: string; passkey?: unknown; keyId: string }) => void) => {
      const forge = new Forge(approved);
      const key = forge.predicate.keys.find(({ passkey }) => passkey !== undefined);
      if (key === undefined) throw new Error("no passkey");
      change(key);
      const { checks } = verifyBundle(await forge.pack(), { trust });
      return checks.flatMap(({ id, state, code }) => (state === "fail" ? [`${id} ${code ?? ""}`] : []));
    };
    expect(await wrong((key) => delete key.passkey)).toEqual(["signature EXO_KEY"]);
    expect(await wrong((key) => (key.role = "operator"))).toEqual(["signature EXO_KEY"]);
    expect(await wrong((key) => (key.keyId = keys.alice.keyId))).toEqual(["signature EXO_KEY"]);
    expect(await wrong((key) => (key.passkey = { rpId: "a.example", origins: ["https://b.example"] }))).not.toEqual([]);
  });

  test("with an assertion that is wrong is refused, signed again though it is", async () => {
    const cases = await passkeyCases();
    const wrong = cases.filter((one) => one.wrong !== undefined);
    expect(wrong.length).toBeGreaterThan(20);
    for (const { about, bytes, trust, wrong: expected } of wrong) {
      const { result, checks } = verifyBundle(bytes, { trust });
      const failed = checks.filter(({ state }) => state === "fail");
      expect([about, result, failed.map(({ code }) => code)]).toEqual([about, "fail", [expected?.code]]);
    }
  });

  test("is refused by a verifier whose trust file has no such passkey, or takes its key for another kind", async () => {
    const { approved, trust } = await passkeyBundles();
    const bare = trust.keys.map(({ passkey: _, ...key }) => key);
    const { result, checks } = verifyBundle(approved, { trust: { ...trust, keys: bare } });
    expect(result).toBe("fail");
    expect(checks.find(({ id }) => id === "approvals")?.code).toBe("EXO_ENVELOPE");
  });

  test("holds the assertion in its canonical envelope and nowhere else", async () => {
    const { approved } = await passkeyBundles();
    const envelope = new Forge(approved).json("approval_grant") as Envelope;
    expect(Object.keys(envelope.signatures[0] ?? {}).sort()).toEqual(["keyid", "sig", "webauthn"]);
    expect(canonicalize(envelope)).toEqual(new Forge(approved).content("approval_grant"));
  });
});
