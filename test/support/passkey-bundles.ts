import { digestOfJson } from "../../src/canonical/digest.js";
import { canonicalize } from "../../src/canonical/jcs.js";
import type { ApprovalGrant, ApprovalRequest } from "../../src/contracts/approval.js";
import { type Envelope, payloadTypes, signEnvelope } from "../../src/contracts/dsse.js";
import type { PolicyRule } from "../../src/contracts/policy.js";
import type { Trust } from "../../src/contracts/trust.js";
import { encodeBase64Url, encodeUtf8 } from "../../src/crypto/encoding.js";
import { sha256 } from "../../src/crypto/sha256.js";
import type { Signer } from "../../src/ports.js";
import { consolePlace, type Said, SoftPasskey } from "./passkey.js";
import { draft, openRig, type Rig, type RigOptions, requestOf } from "./rig.js";
import { keys, usualKeys } from "./world.js";

/** Alice's beside her key, carol's instead of hers, and one that nobody trusts. */
export const passkeys = {
  alice: new SoftPasskey("alice's phone", consolePlace),
  carol: new SoftPasskey("carol's token", consolePlace),
  mallory: new SoftPasskey("mallory's phone", consolePlace),
} as const;

const rules: readonly PolicyRule[] = [
  {
    id: "remove-needs-two",
    match: { action: "fs.remove", target: { under: "data" } },
    verdict: "require_approval",
    obligations: { approvals: 2, roles: ["approver"], narrow: { fs_remove: { paths: ["{target}"] } } },
  },
];

/** A rig whose approvers are alice with a key and a passkey, bob with a key and carol with a passkey. */
export async function passkeyRig(options: RigOptions = {}): Promise<Rig> {
  const trustKeys = [
    ...usualKeys.filter(({ id }) => id !== "carol"),
    passkeys.alice.entry("alice-phone", { person: "alice" }),
    passkeys.carol.entry("carol"),
  ];
  const rig = await openRig({ rules, trustKeys, seed: "passkeys", ...options });
  for (const name of ["a", "b"]) rig.disk.files.set(`data/${name}.txt`, name);
  return rig;
}

/** Asks for a file to be removed. */
export async function askToRemove(rig: Rig, name: string): Promise<{ intentId: string; request: ApprovalRequest }> {
  rig.clock.advance(1000);
  const result = await rig.pipeline.execute(
    draft("fs.remove", `data/${name}.txt`, { correlationId: `passkey-${name}` }),
  );
  return { intentId: result.intentId, request: requestOf(result) };
}

/** A decision on a request, the same in every run. */
export function decision(
  request: ApprovalRequest,
  id: string,
  keyId: string,
  more: Partial<ApprovalGrant> = {},
): ApprovalGrant {
  return {
    schema: "exoarmur.approval-grant/v1",
    requestDigest: digestOfJson(request),
    decision: "approve",
    approver: { id, keyId },
    nonce: encodeBase64Url(sha256(encodeUtf8(`${request.requestId} ${id}`))),
    signedAt: request.requestedAt,
    ...more,
  };
}

/** The same, signed by a passkey. */
export function byPasskey(
  request: ApprovalRequest,
  id: "alice" | "carol",
  change?: (said: Said) => void,
  more: Partial<ApprovalGrant> = {},
): Envelope {
  return passkeys[id].sign(decision(request, id, passkeys[id].keyId, more), change);
}

/** The same, signed by a key. */
export async function byKey(request: ApprovalRequest, id: string, signer: Signer): Promise<Envelope> {
  const grant = canonicalize(decision(request, id, signer.keyId));
  return await signEnvelope(payloadTypes.approvalGrant, grant, signer);
}

/** Bundles that passkeys had a part in, and the requests they are about. */
export type PasskeyBundles = {
  readonly trust: Trust;
  /** Alice approved by passkey, then bob by key. */
  readonly approved: Uint8Array;
  readonly request: ApprovalRequest;
  /** Carol denied by passkey. */
  readonly denied: Uint8Array;
  readonly deniedRequest: ApprovalRequest;
};

/** Makes them through the pipeline. The same in every run. */
export async function passkeyBundles(): Promise<PasskeyBundles> {
  const rig = await passkeyRig();
  const { pipeline, clock } = rig;
  const bytesOf = (intentId: string): Uint8Array => {
    const bundle = pipeline.bundle(intentId);
    if (bundle === undefined) throw new Error(`intent ${intentId} has no bundle`);
    return bundle.bytes();
  };
  const first = await askToRemove(rig, "a");
  clock.advance(1000);
  await pipeline.decide(byPasskey(first.request, "alice"));
  await pipeline.decide(await byKey(first.request, "bob", keys.bob));
  const second = await askToRemove(rig, "b");
  await pipeline.decide(byPasskey(second.request, "carol", undefined, { decision: "deny", reason: "not today" }));
  return {
    trust: rig.trust,
    approved: bytesOf(first.intentId),
    request: first.request,
    denied: bytesOf(second.intentId),
    deniedRequest: second.request,
  };
}
