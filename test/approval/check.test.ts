import { beforeAll, describe, expect, test } from "vitest";
import { type ApprovalEvidence, checkApproval, openGrant } from "../../src/approval/check.js";
import { type SignGrantOptions, signGrantWith } from "../../src/approval/sign.js";
import { digestOf, digestOfJson } from "../../src/canonical/digest.js";
import { canonicalize } from "../../src/canonical/jcs.js";
import { parseTime } from "../../src/canonical/time.js";
import { type Envelope, payloadTypes, signEnvelope } from "../../src/contracts/dsse.js";
import { encodeUtf8 } from "../../src/crypto/encoding.js";
import { isExoArmurError } from "../../src/errors.js";
import type { Signer } from "../../src/ports.js";
import {
  actor,
  alice,
  aliceLaptop,
  bob,
  carol,
  codeOf,
  digest,
  during,
  expiresAt,
  grantOf,
  mallory,
  nonce,
  now,
  request,
  requestDigest,
  requester,
  signAny,
  unwrap,
} from "./helpers.js";

const keys = [alice, aliceLaptop, bob, carol].map((signer) => signer.publicKey);
const approve = (signer: Signer, approverId: string, more: Partial<SignGrantOptions> = {}) =>
  signGrantWith(request, { signer, approverId, decision: "approve", signedAt: during, nonce, ...more });

let byAlice: Envelope;
let byBob: Envelope;
beforeAll(async () => {
  byAlice = await approve(alice, "alice");
  byBob = await approve(bob, "bob");
});

function check(envelopes: Envelope[], more: Partial<ApprovalEvidence> = {}) {
  return checkApproval({ request, requestDigest, envelopes, keys, requester, actor, startedAt: now, ...more });
}

describe("signing", () => {
  async function thrown(run: Promise<unknown>): Promise<string> {
    try {
      await run;
      return "nothing";
    } catch (error) {
      if (isExoArmurError(error)) return error.code;
      throw error;
    }
  }

  test("signs the canonical grant for this request", async () => {
    const opened = unwrap(openGrant(byAlice, keys));
    expect(opened).toEqual({
      grant: grantOf(alice, "alice"),
      signerKeyId: alice.keyId,
      envelopeDigest: digestOf(canonicalize(byAlice)),
    });
    const denied = await approve(bob, "bob", { decision: "deny", reason: "not today" });
    expect(unwrap(openGrant(denied, keys)).grant).toEqual(
      grantOf(bob, "bob", { decision: "deny", reason: "not today" }),
    );
  });

  test.each<[string, Signer, string, Partial<SignGrantOptions>, string]>([
    ["another's key", bob, "alice", {}, "EXO_APPROVAL_APPROVER"],
    ["a stranger", mallory, "mallory", {}, "EXO_APPROVAL_APPROVER"],
    ["a stranger's key", mallory, "bob", {}, "EXO_APPROVAL_APPROVER"],
    ["a deny without reason", bob, "bob", { decision: "deny" }, "EXO_APPROVAL_REASON"],
    ["a deny with a blank reason", bob, "bob", { decision: "deny", reason: " \n" }, "EXO_APPROVAL_REASON"],
    ["an empty reason", bob, "bob", { reason: "" }, "EXO_SCHEMA"],
    ["a time before the request", bob, "bob", { signedAt: "2026-01-31T08:59:59.999Z" }, "EXO_ORDER"],
    ["a time after the expiry", bob, "bob", { signedAt: "2026-01-31T09:15:00.001Z" }, "EXO_APPROVAL_EXPIRED"],
    ["a time that is none", bob, "bob", { signedAt: "2026-01-31" }, "EXO_SCHEMA"],
    ["a nonce that is none", bob, "bob", { nonce: "x" }, "EXO_SCHEMA"],
  ])("%s is refused", async (_name, signer, id, more, code) => {
    expect(await thrown(approve(signer, id, more))).toBe(code);
  });
});

describe("a valid approval", () => {
  test("names its approvers in order", () => {
    expect(check([byAlice, byBob])).toEqual({ ok: true, value: { approvers: ["alice", "bob"] } });
    expect(check([byBob, byAlice])).toEqual({ ok: true, value: { approvers: ["bob", "alice"] } });
  });

  test("starts up to the last millisecond", () => {
    expect(codeOf(check([byAlice, byBob], { startedAt: parseTime(expiresAt) }))).toBe("ok");
  });
});

describe("not approved", () => {
  test("too few", () => {
    expect(codeOf(check([]))).toBe("EXO_APPROVAL_PENDING");
    expect(codeOf(check([byAlice]))).toBe("EXO_APPROVAL_PENDING");
  });

  test("the same twice, or one person with two keys", async () => {
    expect(codeOf(check([byAlice, byAlice]))).toBe("EXO_APPROVAL_DUPLICATE");
    expect(codeOf(check([byAlice, await approve(aliceLaptop, "alice")]))).toBe("EXO_APPROVAL_DUPLICATE");
  });

  test("more than are needed: no runtime counts a decision on a closed request", async () => {
    expect(codeOf(check([byAlice, byBob, await approve(carol, "carol")]))).toBe("EXO_APPROVAL_CLOSED");
  });

  test("a deny, wherever it stands", async () => {
    const denied = await approve(carol, "carol", { decision: "deny", reason: "no" });
    expect(codeOf(check([denied, byAlice]))).toBe("EXO_APPROVAL_DENIED");
    expect(codeOf(check([byAlice, denied]))).toBe("EXO_APPROVAL_DENIED");
    expect(check([byAlice, byBob, denied]).ok).toBe(false);
  });

  test("started after the expiry, or at no time", () => {
    expect(codeOf(check([byAlice, byBob], { startedAt: parseTime(expiresAt) + 1 }))).toBe("EXO_APPROVAL_EXPIRED");
    expect(codeOf(check([byAlice, byBob], { startedAt: Number.NaN }))).toBe("EXO_APPROVAL_EXPIRED");
  });

  test("started before the hold was over", async () => {
    const held = { ...request, notBefore: during };
    const sign = (signer: Signer, approverId: string): Promise<Envelope> =>
      signGrantWith(held, { signer, approverId, decision: "approve", signedAt: during, nonce });
    const envelopes = [await sign(alice, "alice"), await sign(bob, "bob")];
    const start = (startedAt: number) =>
      check(envelopes, { request: held, requestDigest: digestOfJson(held), startedAt });
    expect(codeOf(start(now))).toBe("ok");
    expect(start(now - 1)).toEqual({
      ok: false,
      error: { code: "EXO_APPROVAL_HELD", message: `the approval was held until ${during}, after the start` },
    });
  });

  test.each([
    ["the principal", { requester: { principal: "bob", method: "token" } }],
    ["onBehalfOf", { requester: { principal: "x", method: "token", onBehalfOf: "alice" } }],
    ["the principal's key id", { requester: { principal: bob.keyId, method: "signature" } }],
    ["the actor", { actor: { id: "alice", type: "person" } }],
  ] as [string, Partial<ApprovalEvidence>][])("%s approved", (_name, more) => {
    expect(codeOf(check([byAlice, byBob], more))).toBe("EXO_APPROVAL_APPROVER");
  });

  test("every changed member of the request is another request", () => {
    const changes: Partial<typeof request>[] = [
      { intentDigest: digest("a") },
      { policyDigest: digest("a") },
      { pluginDigest: digest("a") },
      { manifestDigest: digest("a") },
      { grantsDigest: digest("a") },
      { previewDigest: digest("a") },
      { threshold: 1 },
      { roster: request.roster.slice(0, 2) },
      { expiresAt: "2026-01-31T10:15:00.000Z" },
      { notBefore: "2026-01-31T09:01:00.000Z" },
      { requestId: "01HZZZZZZZZZZZZZZZZZZZZZZX" },
      { nonce: "B".repeat(43) },
      { tenantId: "other" },
      { cellId: "other" },
    ];
    for (const change of changes) {
      const changed = { ...request, ...change };
      expect(codeOf(check([byAlice, byBob], { request: changed }))).toBe("EXO_APPROVAL_STALE");
      const consistent = { request: changed, requestDigest: digestOfJson(changed) };
      expect(codeOf(check([byAlice, byBob], consistent))).toBe("EXO_APPROVAL_UNKNOWN");
    }
  });

  test("keys that are not trusted", () => {
    expect(codeOf(check([byAlice, byBob], { keys: [] }))).toBe("EXO_TRUST");
    expect(codeOf(check([byAlice, byBob], { keys: [alice.publicKey] }))).toBe("EXO_TRUST");
  });
});

describe("envelopes", () => {
  const open = async (envelope: Envelope | Promise<Envelope>) => codeOf(openGrant(await envelope, keys));

  test("of another kind, changed, or signed by several", async () => {
    expect(await open(signAny(bob, grantOf(bob, "bob"), payloadTypes.killSwitch))).toBe("EXO_ENVELOPE");
    expect(await open({ ...byBob, payloadType: payloadTypes.statement })).toBe("EXO_ENVELOPE");
    expect(await open({ ...byBob, payload: byAlice.payload })).toBe("EXO_SIGNATURE");
    expect(await open({ ...byBob, signatures: byAlice.signatures })).toBe("EXO_SIGNATURE");
    expect(await open({ ...byBob, signatures: [...byBob.signatures, ...byBob.signatures] })).toBe("EXO_ENVELOPE");
    const both = await signAny(alice, grantOf(bob, "bob"));
    const bobs = await signAny(bob, grantOf(bob, "bob"));
    expect(await open({ ...both, signatures: [...both.signatures, ...bobs.signatures] })).toBe("EXO_ENVELOPE");
    expect(await open(signAny(mallory, grantOf(mallory, "mallory")))).toBe("EXO_TRUST");
  });

  test("whose payload is no grant", async () => {
    expect(await open(signAny(bob, grantOf(bob, "bob", { decision: "deny" })))).toBe("EXO_APPROVAL_REASON");
    expect(await open(signAny(bob, { ...grantOf(bob, "bob"), extra: 1 }))).toBe("EXO_SCHEMA");
    expect(await open(signAny(bob, { ...grantOf(bob, "bob"), decision: "maybe" }))).toBe("EXO_SCHEMA");
    expect(await open(signAny(bob, { ...grantOf(bob, "bob"), schema: "exoarmur.approval-grant/v2" }))).toBe(
      "EXO_SCHEMA",
    );
    expect(await open(signAny(bob, []))).toBe("EXO_SCHEMA");
    const spaced = encodeUtf8(JSON.stringify(grantOf(bob, "bob"), null, 1));
    expect(await open(signEnvelope(payloadTypes.approvalGrant, spaced, bob))).toBe("EXO_JSON_NOT_CANONICAL");
    expect(await open(signEnvelope(payloadTypes.approvalGrant, encodeUtf8("{"), bob))).toBe("EXO_JSON_SYNTAX");
    const large = { ...grantOf(bob, "bob"), reason: "x".repeat(70_000) };
    expect(await open(signAny(bob, large))).toBe("EXO_JSON_SIZE");
  });

  test("signed by one roster member in another's name", async () => {
    const forged = await signAny(bob, grantOf(alice, "alice"));
    expect(codeOf(check([forged, byBob]))).toBe("EXO_APPROVAL_APPROVER");
    const borrowed = await signAny(bob, grantOf(bob, "alice"));
    expect(codeOf(check([borrowed, byBob]))).toBe("EXO_APPROVAL_APPROVER");
  });
});
